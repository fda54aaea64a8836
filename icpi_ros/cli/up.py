"""Not written yet."""

import argparse


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Nothing yet."""
