"""Options of `icpi bench graph`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import add_arm, number, whole
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--task", default="slide", help="default: slide")
    add_arm(parser)
    parser.add_argument("--trials", type=whole(1, 1000), default=20, metavar="N")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument(
        "--real-time-factor",
        type=number(0.0, 100.0),
        action="append",
        metavar="F",
        help="may be given more than once; default: 1 and 0 (as fast as possible)",
    )
    add_json(parser)
