"""Options of `icpi stop`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import add_namespace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the graph and the release."""
    add_namespace(parser)
    parser.add_argument(
        "--reset", action="store_true", help="release the stop: motions are allowed again"
    )
