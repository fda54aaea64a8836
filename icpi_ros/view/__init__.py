"""Pages of runs in a browser: the live one, on viser, and that of the stored runs, without it."""
