"""Clients of language models behind OpenAI-compatible APIs."""
