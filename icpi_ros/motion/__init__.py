"""Motions: trajectories, primitives, the safety gate, controlled stop."""
