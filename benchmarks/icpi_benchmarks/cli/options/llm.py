"""Options of `icpi bench llm`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import whole
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--tasks", metavar="T,..", help="default: all")
    parser.add_argument("--proposals", type=whole(20, 900), default=300, metavar="N")
    parser.add_argument("--history", action="store_true", help="show the run's own trials, too")
    add_json(parser)
