"""Improve motions from demonstrations in worlds that their tasks know nothing of, without data."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from icpi_benchmarks.contest.conditions import Condition
from icpi_benchmarks.contest.entrants import entrants
from icpi_benchmarks.contest.play import ContestRules
from icpi_benchmarks.demonstrated.black_boxes import black_box
from icpi_benchmarks.demonstrated.cells import ShownCells, ShownTask
from icpi_ros.cli.json_output import kept
from icpi_ros.cli.progress import progress_bar
from icpi_ros.core.types import Array
from icpi_ros.learn.building.workers import Workers

TIME_LIMIT = 60.0
"""Of one proposal [s]."""
SHOWN = (3, 5, 6, 8, 10)
"""Numbers of adjustments that the table shows."""
WHICH = ("demonstration", "draw")
"""Parts of a row that say which draw it is."""
Key = tuple[str, int, str, str]
"""World, number of parameters, condition, improver."""


def run(args: argparse.Namespace) -> int:
    """Make the tasks, play all draws, print one table per world and number of parameters."""
    conditions = tuple(Condition(f"noise={1e3 * s:g}mm", noise=s) for s in args.noise or (0.0,))
    who = entrants(args.improvers.split(","))
    rules = ContestRules(args.seed, args.adjustments + 1, TIME_LIMIT)
    tasks = _tasks(args.worlds.split(","), args.parameters or [2, 4], args.demonstrations)
    cells = ShownCells(
        tasks, args.instances, args.draws, conditions, tuple(who), rules, not args.no_search
    )
    total, workers = len(tasks) * args.instances, args.workers or len(os.sched_getaffinity(0))
    rows: list[dict[str, Any]] = []
    with kept(args.json, rows), progress_bar(total, "draw") as bar:
        for _, found in Workers(workers).run(cells, range(total)):
            rows.extend(found)
            bar.update(1)
        rows.sort(key=lambda row: [row[name] for name in ("world", "parameters", *WHICH)])
    print("\n".join(table(rows)))
    return 0


def _tasks(
    worlds: Sequence[str], parameters: Sequence[int], demonstrations: int
) -> tuple[ShownTask, ...]:
    """Return the tasks of all demonstrations; their files lie in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="icpi-shown-") as folder:
        return tuple(
            ShownTask(world, shown, black_box(world).described(shown, count, Path(folder)))
            for world in worlds
            for count in parameters
            for shown in range(1, demonstrations + 1)
        )


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the lines of the tables: mean / median / worst best cost [mm]."""
    lines: list[str] = []
    keys = dict.fromkeys(map(_key, rows))
    for head in sorted({key[:3] for key in keys}):
        alike = [row for row in rows if _key(row)[:3] == head]
        draws = {(row["demonstration"], row["draw"]): row["reachable"] for row in alike}
        found = [cost for cost in draws.values() if cost is not None]
        world, count, condition = head
        floor = f"; best theta found in the box {_cell(np.array(found))}" if found else ""
        lines += ["", f"{world}, {count} parameters, {condition}, {len(draws)} draws{floor}"]
        columns = [n for n in SHOWN if n < len(alike[0]["best_costs"])]
        lines.append(f"{'improver':<14}{'first':>16}" + "".join(f"{n:>24}" for n in columns))
        for name in dict.fromkeys(key[3] for key in keys if key[:3] == head):
            best = _best([row for row in alike if row["improver"] == name])
            cells = "".join(f"{_cell(best[:, n]):>24}" for n in columns)
            lines.append(f"{name:<14}{_cell(best[:, 0]):>16}{cells}")
    return lines[1:]


def _key(row: dict[str, Any]) -> Key:
    return row["world"], row["parameters"], row["condition"], row["improver"]


def _best(rows: Sequence[dict[str, Any]]) -> Array:
    """Return the best costs ``(rows, trials)``; before there is one it is infinite."""
    return np.array(
        [[np.inf if cost is None else cost for cost in row["best_costs"]] for row in rows]
    )


def _cell(costs: Array) -> str:
    return " / ".join(f"{1e3 * v:.3g}" for v in (costs.mean(), np.median(costs), costs.max()))
