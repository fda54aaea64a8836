"""Observation through a simulated camera against ground truth: accuracy and cost."""
