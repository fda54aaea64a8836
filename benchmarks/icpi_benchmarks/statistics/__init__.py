"""Statistics of a contest: paired blocks of rows, summaries with intervals."""
