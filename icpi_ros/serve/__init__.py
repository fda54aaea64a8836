"""An OpenAI-compatible endpoint on this machine, backed by the model that completes patterns."""
