"""Time what the improver llm costs besides the model, against a bare HTTP round trip."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from icpi_benchmarks.speed.llm_client import MAX_ROUND_TRIPS, measure
from icpi_ros.cli.json_output import kept
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task


def run(args: argparse.Namespace) -> int:
    """Print a line per task; exit code 1 if one misses the target."""
    names = args.tasks.split(",") if args.tasks else TASKS.built_in
    tasks = [TASKS.get(name) for name in names]
    rows: list[dict[str, Any]] = []
    with kept(args.json, rows):
        _measure(args, tasks, rows)
    return 0 if all(row["round_trips"] <= MAX_ROUND_TRIPS for row in rows) else 1


def _measure(args: argparse.Namespace, tasks: list[Task], rows: list[dict[str, Any]]) -> None:
    """Add a row per task to ``rows``, and print it."""
    print(f"in round trips, at most {MAX_ROUND_TRIPS:g}: a proposal beyond one (fastest tenths)")
    print("median [ms]      bare round trip  proposal  store  overhead  (p95)  in round trips")
    for task in tasks:
        with tempfile.TemporaryDirectory() as folder:
            row = measure(task, args.proposals, Path(folder), history=args.history)
        rows.append(asdict(row))
        times = (row.bare, row.proposal, row.stored, row.overhead, row.overhead_p95)
        bare, proposal, stored, over, late = (1e3 * seconds for seconds in times)
        print(
            f"{task.name:16s} {bare:15.2f} {proposal:9.2f} {stored:6.2f} {over:9.2f} {late:7.2f} "
            f"{row.round_trips:9.2f} ({row.round_trips_undisturbed:.2f})",
            flush=True,
        )
