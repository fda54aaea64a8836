"""Options of `icpi calibrate physics`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import (
    add_arm,
    add_mix,
    add_store,
    whole,
)
from icpi_ros.cli.json_output import add_json


def add_physics(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("bag", nargs="?", type=Path, metavar="BAG", help="ROS 2 bag with trials")
    parser.add_argument(
        "--run", dest="run_id", default="", help="trials of that run, of the bag or the store"
    )
    add_store(parser)
    add_arm(parser, "that of the recording, as far as it is known, else the task's own")
    add_mix(parser, "trials of several arms or backends, or simulated with another arm")
    parser.add_argument("--task", default="", help="needed where a bag has trials of several tasks")
    parser.add_argument(
        "--trials", type=trial_numbers, metavar="N,..", help="only these trials (default: all)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="YAML to write, for simulations")
    add_json(parser)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it as PNG or SVG")
    parser.add_argument(
        "--build-dataset", type=Path, metavar="FILE",
        help="build a data set around the estimate (Parquet; see `icpi dataset build`)",
    )  # fmt: skip
    parser.add_argument("--seed", type=whole(0, 2**63), default=0, help="of the search (0)")
    parser.add_argument(
        "--threads", type=whole(1, 256), default=1, help="simulate so many at a time (1)"
    )
    parser.set_defaults(run="calibrate_physics:calibrate_physics")


def trial_numbers(text: str) -> tuple[int, ...]:
    """Parse ``0,2,3``."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = (-1,)
    if min(numbers) < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected trial numbers, for example 0,1,2")
    return numbers
