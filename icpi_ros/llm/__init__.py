"""Language models in context: prompts, clients, cassettes, a local server."""
