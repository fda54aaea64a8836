"""Improvers that ask a sequence model."""
