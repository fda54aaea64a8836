"""Show whether a graph is ready for a run, line by line, with what to do about each open line."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from icpi_ros.cli.arguments import add_namespace, number
from icpi_ros.cli.json_output import add_json
from icpi_ros.cli.ros import need_ros
from icpi_ros.ros.bringup.instance import domain_id

if TYPE_CHECKING:
    from icpi_ros.ros.bringup.checklist import Checklist

LIMIT = 5.0
"""Longest wait for the reports of all nodes [s]; each reports once per second."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the graph, the form of the answer and how long to wait."""
    parser.epilog = (
        "Exit code 0: a run can begin; 1: not yet, each open line says what to do; 2: no graph "
        "answers."
    )
    add_namespace(parser)
    add_json(parser, "the same")
    parser.add_argument(
        "--timeout",
        type=number(0.1, 600.0),
        default=LIMIT,
        metavar="S",
        help=f"longest wait for the reports of all nodes [s]; default {LIMIT:g}",
    )
    parser.add_argument(
        "--wait",
        type=number(0.0, 86400.0),
        default=0.0,
        metavar="S",
        help="longest wait until a run can begin [s]; default: do not wait",
    )


def run(args: argparse.Namespace) -> int:
    """Print the checklist; 0 = a run can begin."""
    need_ros()
    domain_id()
    from icpi_ros.ros.clients.checklist_client import ChecklistClient  # needs ROS

    with ChecklistClient(args.namespace) as client:
        checklist = client.checklist(args.timeout, args.wait)
    return show(checklist, args)


def show(checklist: Checklist, args: argparse.Namespace) -> int:
    """Print or write a checklist as it was asked for; return the exit code."""
    print(checklist.text)
    if args.json:
        args.json.write(checklist.as_json())
    return 0 if checklist.ready else 1
