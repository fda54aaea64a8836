"""Options of `icpi bench sim`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import add_arm, whole
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--tasks", metavar="T,..", help="default: all")
    add_arm(parser, "each task's own")
    parser.add_argument("--rollouts", type=whole(1, 1_000_000), default=512, metavar="N")
    parser.add_argument("--threads", metavar="N,..", help="default: 1 and one per processor")
    parser.add_argument("--repeats", type=whole(1, 100), default=3)
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    add_json(parser)
