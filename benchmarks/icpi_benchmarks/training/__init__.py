"""Training of the small in-context transformer, on synthetic problems; needs PyTorch."""
