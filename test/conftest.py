"""Puts this folder on the path, so that tests can import shared helpers such as ``toy``."""

pytest_plugins = ["pytester", "kinds", "lanes", "unsteady"]
