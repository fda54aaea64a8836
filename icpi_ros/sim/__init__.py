"""Simulation in MuJoCo: the world and batched rollouts."""
