"""Options of `icpi runs`."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from icpi_ros.cli.arguments import add_store
from icpi_ros.cli.json_output import add_json

UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the filters, ``compare`` and ``delete``."""
    add_store(parser)
    parser.add_argument("--task", help="only runs of this task")
    parser.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="only runs that began then or later: 2026-11-29, 2026-11-29T08:30 (UTC), or 30m, 12h, "
        "7d, 2w ago",
    )
    parser.add_argument("--arm", metavar="NAME", help="only runs that began with this arm")
    parser.add_argument(
        "--backend",
        choices=("in_process", "simulated_graph", "real_graph", "replay", "unknown"),
        help="only runs that began like this",
    )
    add_json(parser, "the list")
    verbs = parser.add_subparsers(metavar="[compare|delete]")
    unset = argparse.SUPPRESS  # what stands before the verb counts, too
    compare = verbs.add_parser(
        "compare", help="how two runs differ, and what each trial cost", argument_default=unset
    )
    compare.add_argument("runs", nargs=2, metavar="RUN")
    compare.set_defaults(run="runs:compare_runs")
    delete = verbs.add_parser(
        "delete", help="delete a run and its trials from the store", argument_default=unset
    )
    delete.add_argument("deleted", metavar="RUN")
    delete.add_argument("--yes", action="store_true", default=False, help="do not ask")
    delete.set_defaults(run="runs:delete_run")
    for verb in (compare, delete):
        add_store(verb)
        add_json(verb)


def moment(text: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> datetime:
    """Parse a time in UTC, or an age such as ``12h``."""
    if age := re.fullmatch(r"(\d{1,5})([mhdw])", text):
        return now() - timedelta(**{UNITS[age[2]]: int(age[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a date, a date and time, or an age, for example 2026-11-29, "
            "2026-11-29T08:30 or 12h"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
