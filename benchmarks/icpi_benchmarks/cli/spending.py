"""Measure what repeats under noise and the stop of converged runs are worth."""

from __future__ import annotations

import argparse
import os
from typing import Any

from icpi_benchmarks.contest.entrants import entrants
from icpi_benchmarks.spent.cells import SpentCells
from icpi_benchmarks.spent.tables import text
from icpi_ros.cli.json_output import kept
from icpi_ros.cli.progress import progress_bar
from icpi_ros.core.errors import UsageError
from icpi_ros.learn.building.workers import Workers
from icpi_ros.tasks import TASKS

NOISES = (0.0, 0.001, 0.002, 0.005, 0.01)
"""Standard deviations of the sensor [m]."""


def run(args: argparse.Namespace) -> int:
    """Play all instances and print a table per noise."""
    who = tuple(entrants(args.improvers.split(",")))
    for entrant in who:
        if not getattr(entrant.kind, "predicts_gain", False):
            raise UsageError(f"improver {entrant.label}: it does not predict what a trial gains")
    cells = SpentCells(
        tuple(TASKS.get(name) for name in args.tasks.split(",")),
        args.instances,
        args.draws,
        tuple(args.noise or NOISES),
        who,
        args.trials,
        args.seed,
        not args.cold,
    )
    total, workers = len(cells.tasks) * args.instances, args.workers or len(os.sched_getaffinity(0))
    rows: list[dict[str, Any]] = []
    with kept(args.json, rows), progress_bar(total, "instance") as bar:
        for _, found in Workers(workers).run(cells, range(total)):
            rows.extend(found)
            bar.update(1)
        rows.sort(key=lambda row: [row[name] for name in ("noise", "task", "instance", "improver")])
    print("\n".join(text(rows, args.seed)))
    return 0
