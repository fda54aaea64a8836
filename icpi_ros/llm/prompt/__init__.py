"""Prompts: sequences to complete, as numbers, tokens and text."""
