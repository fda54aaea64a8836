"""Options of `icpi approve`."""

from __future__ import annotations

import argparse

from icpi_ros.cli.arguments import add_namespace, number, quantities, whole
from icpi_ros.cli.json_output import add_json

WAIT = 3600.0
"""Longest wait for a question, one after the other [s]."""
AT_ONCE = 1.0
"""Longest time for what waits to arrive here [s]."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what to decide; without it every question is asked at the terminal."""
    add_namespace(parser)
    parser.add_argument("--show", action="store_true", help="print what waits and end")
    add_json(parser, "with --show: what waits (null = nothing)")
    parser.add_argument(
        "--decision",
        choices=("approve", "clear", "reject", "edit"),
        help="decide about what waits now, print what became of it and end; approve: a motion, "
        "clear: the scene is back and the workspace empty; default: ask at the terminal, until "
        "Ctrl-C",
    )
    parser.add_argument(
        "--theta",
        type=quantities,
        metavar="V1,V2",
        help="with --decision edit: numbers in SI units; a length may have its unit, as 5mm",
    )
    parser.add_argument(
        "--request",
        type=whole(0, 2**32 - 1),
        metavar="ID",
        help="with --decision: only about this request (--show prints its id); needed to approve a "
        "motion of which a change was refused",
    )
    parser.add_argument("--comment", default="", help="one line why, for the record")
    parser.add_argument("--operator", default="", help="who decides, for the record")
    parser.add_argument(
        "--timeout",
        type=number(0.0),
        help=f"longest wait for a question [s]; default {WAIT:g} at a terminal, {AT_ONCE:g} with "
        "--decision: it is about what waits now",
    )
