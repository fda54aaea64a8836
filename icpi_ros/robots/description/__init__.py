"""Readers of an arm's YAML and URDF."""
