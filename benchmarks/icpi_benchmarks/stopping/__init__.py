"""Stops of a moving arm: latency, and the commands that controllers make of them."""
