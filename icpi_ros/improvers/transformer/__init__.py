"""A small in-context transformer, trained on synthetic problems only; see docs/transformer.md."""
