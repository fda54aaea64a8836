"""Evaluation of recorded trials, of hidden physics, and of tasks, without a graph."""
