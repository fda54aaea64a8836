"""Clients of sequence models: messages in, text and usage out."""
