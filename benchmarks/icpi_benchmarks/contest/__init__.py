"""Improvers against each other: plan, conditions, entrants, cells, and the run."""
