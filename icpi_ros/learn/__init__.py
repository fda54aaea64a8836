"""Learning from examples: data sets, retrieval, outcome model; no language model."""
