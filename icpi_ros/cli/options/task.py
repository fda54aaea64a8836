"""Options of `icpi task`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import add_arm, add_store, whole
from icpi_ros.cli.json_output import add_json


Verbs = "argparse._SubParsersAction[argparse.ArgumentParser]"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``list``, ``describe`` and ``try``."""
    verbs = parser.add_subparsers(required=True, metavar="list|describe|try")
    listing = verbs.add_parser("list", help="names and one line each")
    add_json(listing, "the list")
    listing.set_defaults(run="lists:list_tasks")
    describe = verbs.add_parser(
        "describe",
        help="parameters, goals, hidden physics, cost; measured: is it worth iterating",
    )
    describe.add_argument("name", help="task, see `icpi task list`")
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
    _add_try(verbs)


def _add_try(verbs: Verbs) -> None:
    trying = verbs.add_parser(
        "try", help="before anything moves: does the arm allow its motions, is it observed"
    )
    trying.add_argument("task", metavar="name", help="task, see `icpi task list`")
    add_arm(trying)
    trying.add_argument(
        "--samples",
        type=whole(1, 4096),
        default=64,
        metavar="N",
        help="thetas spread over the box for the share that passes, a power of two (default: 64)",
    )
    trying.add_argument(
        "--picture", type=Path, metavar="FILE", help="the motions over the table, SVG or PNG"
    )
    trying.add_argument(
        "--trials",
        metavar="RUN",
        help="judge the recorded paths of a stored run with this task, and measure repeatability "
        "from those of one theta (`icpi run --improver repeat`)",
    )
    add_store(trying)
    add_json(trying, "what was found")
    trying.set_defaults(run="task_try:try_task")
