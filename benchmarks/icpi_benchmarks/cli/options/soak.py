"""Options of `icpi bench soak`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import add_arm, add_mix, whole
from icpi_ros.cli.json_output import add_json

FEWEST = 100
"""Trials that are needed to see memory grow."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--task", default="slide", help="default: slide")
    add_arm(parser)
    add_mix(parser, "learn from a data set of another arm")
    parser.add_argument("--trials", type=whole(FEWEST, 1000), default=300, metavar="N")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument("--improver", default="random", help="default: random")
    add_json(parser)
