"""Reports of a benchmark: text, figures, and one page."""
