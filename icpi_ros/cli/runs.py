"""List the stored runs, compare two, or delete one."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from math import isnan
from pathlib import Path
from typing import TYPE_CHECKING

from icpi_ros.cli.arguments import add_store
from icpi_ros.cli.json_output import add_json
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.core.units import millimetres
from icpi_ros.report.run.difference import cost_pairs, difference_text, differences
from icpi_ros.runs.store.store import TrialStore, default_path

if TYPE_CHECKING:
    from icpi_ros.runs.store.store import RunSummary

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
    compare.set_defaults(run=compare_runs)
    delete = verbs.add_parser(
        "delete", help="delete a run and its trials from the store", argument_default=unset
    )
    delete.add_argument("deleted", metavar="RUN")
    delete.add_argument("--yes", action="store_true", default=False, help="do not ask")
    delete.set_defaults(run=delete_run)
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


def run(args: argparse.Namespace) -> int:
    """Print one line per run, the newest last."""
    path, found = args.store or default_path(), []
    if not path.exists():
        print(f"no runs: {path} does not exist yet")
    else:
        with TrialStore(path) as store:
            found = [run for run in store.runs() if _wanted(run, args)]
        for summary in found:
            print(printable(_line(summary)))
    if args.json:
        args.json.write([asdict(summary) for summary in found])
    return 0


def _wanted(run: RunSummary, args: argparse.Namespace) -> bool:
    return (
        args.task in (None, run.task)
        and args.arm in (None, run.execution.arm)
        and args.backend in (None, run.execution.backend)
        and (args.since is None or datetime.fromisoformat(run.created) >= args.since)
    )


def _line(run: RunSummary) -> str:
    best = "no trial observed" if isnan(run.best_cost) else millimetres(run.best_cost)
    line = (
        f"{run.run_id}  {run.task}  {run.improver}  {run.state}  "
        f"{run.trials}/{run.budget} trials  best {best}  {run.execution}"
    )
    return line + (f"; mixed on purpose: {run.mixed}" if run.mixed else "")


def compare_runs(args: argparse.Namespace) -> int:
    """Print how two runs differ, and what each trial cost."""
    a, b = args.runs
    with _store(args.store) as store:
        records = store.run(a), store.run(b)
        costs = cost_pairs(store.trials(a), store.trials(b))
    print(difference_text(records, costs))
    if args.json:
        args.json.write({"runs": [a, b], "differences": differences(*records), "trials": costs})
    return 0


def delete_run(args: argparse.Namespace) -> int:
    """Delete a run for good; 0 = it is gone."""
    with _store(args.store) as store:
        store.run(args.deleted)  # refused if there is none
        store.lease(args.deleted)  # refused if it is in use
        summary = next(run for run in store.runs() if run.run_id == args.deleted)
        print(printable(_line(summary)), flush=True)
        if not args.yes:
            if not sys.stdin.isatty():
                raise UsageError(f"no terminal to ask at: --yes deletes run {args.deleted}")
            if input("delete it and its trials for good? [y/N] ").strip().lower() != "y":
                print("not deleted")
                return 1
        store.delete_run(args.deleted)
    print(printable(f"deleted: {args.deleted}"))
    if args.json:
        args.json.write({"deleted": args.deleted, "trials": summary.trials})
    return 0


def _store(path: Path | None) -> TrialStore:
    """Open a store that is there.

    Raises:
        UsageError: it is not.
    """
    path = path or default_path()
    if not path.exists():
        raise UsageError(f"there is no trial store at {path}: name one with --store")
    return TrialStore(path)
