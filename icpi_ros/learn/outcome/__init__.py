"""Outcome model: Gaussian process of the error vector over theta."""
