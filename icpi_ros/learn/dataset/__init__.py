"""Data sets of (theta, error, adjustment), in memory and on disk."""
