"""Options of `icpi up`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import ros_name
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the graph and its launch arguments, the same as those of ``ros2 launch``."""
    parser.epilog = (
        "Files that arguments name are checked before any node starts (exit code 2).  What the "
        "graph waits for is printed as it comes, then `ready: icpi run --attach ...`; `icpi "
        "status` shows the same at any time."
    )
    parser.add_argument("graph", help="which graph: sim, real or replay")
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar="[BAG] name:=value",
        help="the bag of a replay, and launch arguments; `icpi up sim --show-args` lists them",
    )
    parser.add_argument("-s", "--show-args", action="store_true", help="list the arguments")
    add_json(parser, "the list of --show-args")
    parser.add_argument("--task", help="short for task:=TASK")
    parser.add_argument("--record", metavar="DIR", help="short for record:=DIR: record a bag")
    parser.add_argument("--rate", help="short for rate:=RATE, how fast a bag is replayed")
    parser.add_argument("--namespace", type=ros_name, help="short for namespace:=NAMESPACE")
    parser.add_argument(
        "--dry-run", action="store_true", help="short for dry_run:=true: everything but motion"
    )
