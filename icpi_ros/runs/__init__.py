"""Runs of the improvement loop: ask and tell, where trials are stored, who drives them."""
