"""Shipped answers of language models, and where a benchmark's models are asked or replayed."""
