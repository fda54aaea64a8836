"""Options of `icpi bench bag`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import number, whole
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of the benchmark."""
    parser.add_argument("--source", choices=("tracked_pose", "camera"), default="tracked_pose")
    parser.add_argument("--seconds", type=whole(10, 100_000), default=600, help="of a pose bag")
    parser.add_argument("--gigabytes", type=number(0.01, 100.0), default=0.2, help="of images")
    parser.add_argument("--folder", type=Path, help="where the bag is made; default: a temporary")
    add_json(parser)
