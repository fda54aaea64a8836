"""Perception of whole runs: which source, one pass per task, and what can be used of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.samples import require_source
from icpi_ros.bags.trials import RecordedTrial
from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.core.types import SECOND, Trial
from icpi_ros.evaluate.perceive import JUMP, choose_source, perceive
from icpi_ros.evaluate.request import Request
from icpi_ros.evaluate.runs import RecordedRun
from icpi_ros.perception.sources import SeenPath


def see_runs(
    bag: Bag, runs: Sequence[RecordedRun], trials: Sequence[RecordedTrial], request: Request
) -> tuple[str | None, dict[str, SeenPath]]:
    """Do perception again, one pass per task; return its source, and what is seen by trial id.

    Raises:
        UsageError: the request's source is not in the bag.
    """
    source = request.source or choose_source(bag, trials)
    if source is None:
        bag.note("perception is not done again: the bag has neither poses nor images")
        return None, {}
    require_source(bag, source)
    wanted = {run.run_id: run.task for run in runs}
    seen: dict[str, SeenPath] = {}
    for task in {task.name: task for task in wanted.values()}.values():
        names = {run_id for run_id, its in wanted.items() if its.name == task.name}
        mine = [trial for trial in trials if trial.run_id in names]
        try:
            seen |= perceive(bag, source, task, mine, request.camera)
        except UsageError as exc:
            bag.note(f"perception of task {task.name} is not done again: {exc}")
    return source, seen


def executed_of(run: RecordedRun, seen: Mapping[int, SeenPath]) -> tuple[Trial, ...]:
    """Return the trials that the run executed and saw: with the recorded path, else that of now.

    Only paths that show what the task needs count.
    """
    found = []
    for recorded in run.done:
        trial, now = recorded.seen, seen.get(recorded.number)
        if trial is not None and trial.trajectory is None and now is not None:
            trial = replace(trial, trajectory=now.path)
        if trial is None or trial.trajectory is None:
            continue
        try:
            shown = np.isfinite(run.task.error(trial.trajectory, run.goal)).all()
        except IcpiError:
            continue
        if shown:
            found.append(trial)
    return tuple(found)


def recorded_seconds(trials: Sequence[RecordedTrial]) -> float:
    """Return the time from the first window to the last [s]; restarts of the clock add up."""
    total, begin, end = 0, 0, 0
    for trial in (t for t in trials if t.stop):
        if not end or trial.start < end - JUMP:
            total, begin, end = total + end - begin, trial.start, trial.stop
        end = max(end, trial.stop)
    return (total + end - begin) / SECOND
