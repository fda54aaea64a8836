"""Executor: the node that alone moves the arm."""
