"""Language models with weights of their own, in files of the GGUF format."""
