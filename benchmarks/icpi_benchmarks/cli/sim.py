"""Time our simulation path against raw mujoco.rollout."""

from __future__ import annotations

import argparse
import os
from typing import Any

from icpi_benchmarks.speed.simulation import measure, peak_memory
from icpi_ros.cli.arguments import chosen_arm
from icpi_ros.cli.json_output import kept
from icpi_ros.core.errors import UsageError
from icpi_ros.robots.base import Arm
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

KEYS = ("task", "arm", "threads", "raw_seconds", "ours_seconds", "ratio", "steps", "rollouts")
"""Of a row in JSON."""


def run(args: argparse.Namespace) -> int:
    """Print a line per task and number of threads."""
    names = args.tasks.split(",") if args.tasks else TASKS.built_in
    tasks = [TASKS.get(name) for name in names]
    arms = [chosen_arm(args.arm, task) for task in tasks]
    counts = _threads(args.threads, len(os.sched_getaffinity(0)))
    rows: list[dict[str, Any]] = []
    with kept(args.json, rows):
        _measure(args, list(zip(tasks, arms, strict=True)), counts, rows)
    return 0


def _measure(
    args: argparse.Namespace,
    pairs: list[tuple[Task, Arm]],
    counts: list[int],
    rows: list[dict[str, Any]],
) -> None:
    """Add a row per task and number of threads to ``rows``, and print it."""
    print(f"{'task':16s} threads   steps  raw us/step  ours us/step  ours/raw  speed-up")
    for task, arm in pairs:
        first = 0.0
        for threads in counts:
            row = measure(task, arm, args.rollouts, threads, args.repeats, args.seed)
            first = first or row.ours_seconds
            raw, ours = (1e6 * t / row.steps for t in (row.raw_seconds, row.ours_seconds))
            print(
                f"{task.name:16s} {threads:7d} {row.steps:7d} {raw:12.2f} {ours:13.2f} "
                f"{row.ratio:9.3f} {first / row.ours_seconds:9.2f}",
                flush=True,
            )
            rows.append({key: getattr(row, key) for key in KEYS})
    print(f"peak memory {peak_memory():.0f} MB")


def _threads(text: str | None, processors: int) -> list[int]:
    """Return the thread counts to measure.

    Raises:
        UsageError: one is not a number from 1 to 256.
    """
    if text is None:
        return sorted({1, processors})
    counts = [int(part) if part.isdecimal() else 0 for part in text.split(",")]
    if not all(1 <= count <= 256 for count in counts):
        raise UsageError(f"--threads {text}: allowed are integers 1 to 256 with commas between")
    return counts
