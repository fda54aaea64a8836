"""Options of `icpi perception`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import whole
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``debug``."""
    verbs = parser.add_subparsers(required=True, metavar="debug")
    debug = verbs.add_parser("debug", help="draw what is seen into the images of a bag")
    debug.add_argument("bag", type=Path, metavar="BAG", help="ROS 2 bag with camera images")
    debug.add_argument("--task", required=True, help="task whose object is looked for")
    debug.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the PNGs")
    debug.add_argument("--topic", default="", help="image topic, if the bag has several")
    debug.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="calibrated camera; default: the camera of the task's scene, lens of the bag",
    )
    debug.add_argument(
        "--every", type=whole(1, 100_000), default=10, metavar="N", help="draw every Nth image"
    )
    add_json(debug, "the counts")
    debug.set_defaults(run="perception:run_debug")
