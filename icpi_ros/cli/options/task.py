"""Options of `icpi task`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import add_arm, whole
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``list`` and ``describe``."""
    verbs = parser.add_subparsers(required=True, metavar="list|describe")
    listing = verbs.add_parser("list", help="names and one line each")
    add_json(listing, "the list")
    listing.set_defaults(run="lists:list_tasks")
    describe = verbs.add_parser(
        "describe",
        help="parameters, goals, hidden physics, cost; measured: is it worth iterating",
    )
    describe.add_argument(
        "task", metavar="name", help="task, see `icpi task list`, or its YAML file"
    )
    add_arm(describe)
    describe.add_argument("--quick", action="store_true", help="measure nothing")
    describe.add_argument(
        "--picture", type=Path, metavar="FILE", help="PNG of the cost landscape for two draws"
    )
    describe.add_argument(
        "--draws", type=whole(1, 1000), default=8, metavar="N", help="physics draws (default: 8)"
    )
    describe.add_argument(
        "--seed", type=whole(0, 2**62), default=0, help="of the draws (default: 0)"
    )
    add_json(describe)
    describe.set_defaults(run="task:describe_task")
