"""Options of `icpi bench pixels`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import add_arm, add_mix, whole
from icpi_ros.cli.json_output import add_json

TASKS_SEEN = "slide,roll-gc"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--tasks", metavar="T,..", default=TASKS_SEEN, help="default: %(default)s")
    add_arm(parser, "each task's own")
    add_mix(parser, "examples of another arm")
    parser.add_argument(
        "--cases", metavar="C,..", default="ideal,typical,occluded", help="default: %(default)s"
    )
    parser.add_argument(
        "--trials", type=whole(0, 100_000), default=100, help="of accuracy, per task; 0 = none"
    )
    parser.add_argument(
        "--instances", type=whole(0, 100_000), default=50, help="of cost, per task; 0 = none"
    )
    parser.add_argument("--seed", type=whole(0, 2**31), default=0)
    parser.add_argument(
        "--workers", type=whole(1, 256), help="processes; default: one per processor"
    )
    add_json(parser)
