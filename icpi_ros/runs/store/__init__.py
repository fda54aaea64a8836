"""Store of runs and trials in one SQLite file."""
