"""Fit of the outcome model: rows, the search of an optimiser, fits that are kept, the process."""
