"""Reports of a run: text, and one page."""
