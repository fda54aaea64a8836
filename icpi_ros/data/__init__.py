"""Data sets, labelling and the trial store."""
