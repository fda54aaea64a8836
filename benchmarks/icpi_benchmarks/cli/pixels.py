"""Measure what observing through a simulated camera costs, against ground truth."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from typing import Any

from icpi_benchmarks.pixels import accuracy as pixels_accuracy
from icpi_benchmarks.pixels import cost as pixels_cost
from icpi_benchmarks.pixels.accuracy import Accuracy
from icpi_benchmarks.pixels.cases import CASES
from icpi_benchmarks.pixels.cost import Cost
from icpi_ros.cli.arguments import chosen_arm
from icpi_ros.cli.json_output import kept
from icpi_ros.cli.progress import progress_bar
from icpi_ros.core.errors import UnknownName
from icpi_ros.core.redact import jsonable
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.dataset import check_arm, shipped
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.perception.targets import tracked_target
from icpi_ros.robots.base import Arm
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task


def run(args: argparse.Namespace) -> int:
    """Print a line per task and case, then one per task."""
    tasks = [TASKS.get(name) for name in args.tasks.split(",")]
    arms = [chosen_arm(args.arm, task) for task in tasks]
    cases, mixed = _cases(args.cases), dict[str, str]()
    for task, arm in zip(tasks, arms, strict=True):
        tracked_target(task)
        if args.instances:
            mixed[task.name] = check_arm(shipped(task), ArmId.of(arm), args.mix)
    workers = Workers(args.workers or len(os.sched_getaffinity(0)))
    result: dict[str, Any] = {name: [] for name in ("accuracy", "trials", "cost", "instances")}
    result["arms"] = {t.name: str(ArmId.of(a)) for t, a in zip(tasks, arms, strict=True)}
    result["mixed"] = {name: arm for name, arm in mixed.items() if arm}
    with kept(args.json, result):
        _measure(args, list(zip(tasks, arms, strict=True)), cases, workers, result)
    return 0


def _measure(
    args: argparse.Namespace,
    pairs: list[tuple[Task, Arm]],
    cases: list[str],
    workers: Workers,
    result: dict[str, Any],
) -> None:
    """Fill ``result`` task by task, and print it."""
    total = len(pairs) * (args.trials + args.instances)
    with progress_bar(total, "trial") as bar:

        def advance() -> None:
            bar.update(1)

        if args.trials:
            _say(bar, ACCURACY_HEAD)
        for task, arm in pairs if args.trials else ():
            bar.set_description(f"{task.name} accuracy")
            seen = pixels_accuracy.accuracy(
                task, arm, cases, args.trials, args.seed, workers, advance
            )
            rows = [pixels_accuracy.summary(task.name, case, seen) for case in cases]
            _say(bar, *map(accuracy_line, rows))
            result["accuracy"] += map(_values, rows)
            result["trials"] += ({"task": task.name, **_values(each)} for each in seen)
        if args.instances:
            _say(bar, COST_HEAD)
        for task, arm in pairs if args.instances else ():
            bar.set_description(f"{task.name} cost")
            played = pixels_cost.cost(
                task, arm, shipped(task), args.instances, args.seed, workers, advance
            )
            row = pixels_cost.cost_summary(task.name, played)
            _say(bar, cost_line(row))
            result["cost"].append(_values(row))
            result["instances"] += ({"task": task.name, **_values(each)} for each in played)


ACCURACY_HEAD = (
    "final position [mm]       trials   good  unseen  unmarked  left out  median    p95  worst  "
    "within limits"
)
COST_HEAD = (
    "cost [mm]        instances  blind  ground truth  pixels  ratio  limit  repeated  skipped  "
    "within limit"
)


def accuracy_line(row: Accuracy) -> str:
    """Return the line of one task and case."""
    median, p95, worst = (1e3 * length for length in (row.median, row.p95, row.worst))
    return (
        f"{row.task:14s} {row.case:10s} {row.trials:6d} {row.good:6.1%} {row.unseen:7d} "
        f"{row.unmarked:9d} {row.left_out:9d} {median:7.2f} {p95:6.2f} {worst:6.2f}  "
        f"{_yes(row.passed)}"
    )


def cost_line(row: Cost) -> str:
    """Return the line of one task."""
    truth, pixels, limit = (1e3 * length for length in (row.truth, row.pixels, row.limit))
    return (
        f"{row.task:16s} {row.instances:9d} {row.blind:6d} {truth:13.2f} {pixels:7.2f} "
        f"{row.ratio:6.2f} {limit:6.2f} {row.repeated:9d} {row.skipped:8d}  {_yes(row.passed)}"
    )


def _cases(text: str) -> list[str]:
    """Return the names of cases, each once.

    Raises:
        UnknownName: there is no such case.
    """
    names = list(dict.fromkeys(text.split(",")))
    for name in names:
        if name not in CASES:
            raise UnknownName("case", name, CASES)
    return names


def _say(bar: Any, *lines: str) -> None:
    """Print lines beside the progress bar."""
    bar.clear()
    print("\n".join(lines), flush=True)


def _values(row: Any) -> dict[str, Any]:
    return {name: jsonable(value) for name, value in asdict(row).items()}


def _yes(passed: bool) -> str:
    return "yes" if passed else "NO"
