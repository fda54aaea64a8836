"""List the stored runs, compare two, or delete one."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from math import isnan

from icpi_ros.cli.arguments import opened_store
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import did_you_mean, printable
from icpi_ros.core.units import millimetres
from icpi_ros.report.run.text import cost_pairs, difference_text, differences
from icpi_ros.runs.store.store import RunSummary, TrialStore, default_path


def run(args: argparse.Namespace) -> int:
    """Print one line per run, the newest last; or show them in a page."""
    path, found = args.store or default_path(), []
    if args.view:
        from icpi_ros.cli.runs_view import show_runs  # a server, and all that a report needs

        return show_runs(args, path)
    if args.host or args.port is not None:
        raise UsageError("--host and --port are those of the page: add --view")
    if not path.exists():
        print(f"no runs: {path} does not exist yet")
    else:
        with TrialStore(path, reading=True) as store:
            stored = store.runs()
        found = [run for run in stored if _wanted(run, args)]
        for line in map(_line, found) if found else [_none(stored, args)]:
            print(printable(line))
    if args.json:
        args.json.write([asdict(summary) for summary in found])
    return 0


def _refuse_page(args: argparse.Namespace, advice: str) -> None:
    if args.view:
        raise UsageError(f"--view is a page of the list, without a verb: {advice}")


def _wanted(run: RunSummary, args: argparse.Namespace) -> bool:
    return (
        args.task in (None, run.task)
        and args.arm in (None, run.execution.arm)
        and args.backend in (None, run.execution.backend)
        and (args.since is None or datetime.fromisoformat(run.created) >= args.since)
    )


def _none(stored: Sequence[RunSummary], args: argparse.Namespace) -> str:
    """Say why no run is listed: which filter is one of no run at all, as far as it is one."""
    if not stored:
        return "no runs: the store is empty"
    known = {
        "task": {run.task for run in stored},
        "arm": {run.execution.arm for run in stored if run.execution.arm},
        "backend": {str(run.execution.backend) for run in stored},
    }
    for what, names in known.items():
        if (asked := getattr(args, what)) and asked not in names:
            return (
                f"no run has {what} {asked!r}: choose one of "
                + ", ".join(sorted(names))
                + (did_you_mean(asked, names))
            )
    return f"no run fits: the store has {len(stored)}"


def _line(run: RunSummary) -> str:
    best = "no trial observed" if isnan(run.best_cost) else millimetres(run.best_cost)
    early = f" ({run.note})" if run.state == "finished" and run.trials < run.budget else ""
    line = (
        f"{run.run_id}  {run.task}  {run.improver}  {run.state}{early}  "
        f"{run.trials}/{run.budget} trials  best {best}  {run.execution}"
    )
    return line + (f"; mixed on purpose: {run.mixed}" if run.mixed else "")


def compare_runs(args: argparse.Namespace) -> int:
    """Print how two runs differ, and what each trial cost."""
    _refuse_page(args, "tick the runs in it")
    a, b = args.runs
    with opened_store(args.store) as store:
        records = store.run(a), store.run(b)
        costs = cost_pairs(store.trials(a), store.trials(b))
    print(difference_text(records, costs))
    if args.json:
        args.json.write({"runs": [a, b], "differences": differences(*records), "trials": costs})
    return 0


def delete_run(args: argparse.Namespace) -> int:
    """Delete a run for good; 0 = it is gone."""
    _refuse_page(args, "it only shows")
    with opened_store(args.store, reading=False) as store:
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
