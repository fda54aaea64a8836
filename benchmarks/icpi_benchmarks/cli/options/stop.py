"""Options of `icpi bench stop`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import add_arm, whole
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--trials", type=whole(1, 10_000), default=200, metavar="N")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument(
        "--request",
        choices=("both", "cancel", "service"),
        default="both",
        help="cancel the goal, call the service stop, or each for half of the trials",
    )
    parser.add_argument(
        "--controller",
        choices=("topic", "action"),
        default="topic",
        help="the way to the arm; action needs control_msgs, and its commands are not overheard",
    )
    add_arm(parser)
    add_json(parser)
