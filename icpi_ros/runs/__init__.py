"""Runs of the improvement loop: ask and tell, their storage, and their driver in this process."""
