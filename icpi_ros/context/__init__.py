"""What a model sees: retrieval of examples, numbers as text, prompts and replies."""
