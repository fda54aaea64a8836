"""Local OpenAI-compatible server of sequence completion."""
