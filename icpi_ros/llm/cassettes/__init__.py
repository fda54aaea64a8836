"""Recorded exchanges with language models, and their replay."""
