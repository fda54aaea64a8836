"""Perception node and its sensor sources."""
