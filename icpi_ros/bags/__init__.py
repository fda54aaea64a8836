"""Bags: reading, writing, and the trials in them."""
