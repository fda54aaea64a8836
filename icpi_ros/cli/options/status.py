"""Options of `icpi status`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import add_namespace, number
from icpi_ros.cli.json_output import add_json

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
