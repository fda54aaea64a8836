"""Benchmark of tasks made from a demonstration, in worlds that they know nothing of."""
