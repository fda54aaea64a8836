"""Options of `icpi arm`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import whole
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``list`` and ``check``."""
    verbs = parser.add_subparsers(required=True, metavar="list|check")
    listing = verbs.add_parser("list", help="names, joints and tool of the built-in arms")
    add_json(listing, "the list")
    listing.set_defaults(run="lists:list_arms")
    check = verbs.add_parser(
        "check",
        help="is an arm's description sound; with --task: which motions can it do",
        description="Exit code 0: sound; 1: sound, but it can do no motion of the task; 2: bad.",
    )
    check.add_argument("arm", help="name, see `icpi arm list`, or path of a YAML file")
    check.add_argument("--task", help="try the motions of this task, see `icpi task list`")
    check.add_argument(
        "--points", type=whole(2, 200), metavar="N",
        help="grid points along each parameter (default: 21, with three parameters or more: 7)",
    )  # fmt: skip
    check.add_argument("--picture", type=Path, metavar="FILE", help="draw it (.svg or .png)")
    add_json(check, "all of it")
    check.set_defaults(run="arm:check_one")
