"""Ports to the arm's controllers, and supervision of its state."""
