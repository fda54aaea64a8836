"""Recorded trials for a system identification: from a bag, or from the trial store."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from icpi_ros.bags.parameters import recorded_setup
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.trials import RecordedTrial, read_trials
from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Trial, TrialStatus
from icpi_ros.learn.dataset.execution import refuse_mixed
from icpi_ros.learn.dataset.mixing import ArmId, distinct
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

MAX_TRIALS = 24
"""Trials that are used at most, evenly chosen: time grows with their number."""
MIN_SAMPLES = 10
_THETA_ROUNDING = 1e-9


@dataclass(frozen=True)
class CalibrationTrials:
    """Trials of one table.

    Attributes:
        task: of the trials.
        trials: that can be used.
        source: one line, where they come from.
        left_out: one line for every trial that cannot be used.
        arms: that executed them, as far as that is known.
    """

    task: Task
    trials: tuple[Trial, ...]
    source: str
    left_out: tuple[str, ...]
    arms: tuple[ArmId, ...] = ()


@dataclass(frozen=True)
class _Candidate:
    """A trial, or a window without one; ``poor``: why its path does not belong to its theta."""

    name: str
    number: int
    task: str
    trial: Trial | None
    poor: str | None = None


def from_bag(
    path: Path,
    task: str | None = None,
    run: str | None = None,
    numbers: Collection[int] | None = None,
) -> CalibrationTrials:
    """Return the trials of a bag.

    Args:
        path: of the bag.
        task: only trials of it; None = the bag must have one task only.
        run: only trials of that run; None = all, which must then be of one table.
        numbers: only trials with these numbers; None = all.

    Raises:
        UsageError: nothing in it can be used; gives the reason.
    """
    bag = Bag(path)
    trials = [trial for trial in read_trials(bag) if run is None or trial.run_id == run]
    if not trials:
        raise UsageError(f"bag {path} has no trial of run {run!r}")
    runs = len({trial.run_id for trial in trials})
    found = [_Candidate(one.name, one.number, one.task, one.seen, _poor(one)) for one in trials]
    note = f", {runs} runs taken as one table" if runs > 1 else ""
    made = _recording(found, task, numbers, f"bag {path.name}{note}")
    return replace(made, arms=distinct([ArmId.of_way(recorded_setup(bag).way(made.task))]))


def from_store(
    store: TrialStore,
    run: str,
    task: str | None = None,
    numbers: Collection[int] | None = None,
    mix: bool = False,
) -> CalibrationTrials:
    """Return the trials of a stored run; see :func:`from_bag`.

    Raises:
        UsageError: no such run, nothing in it can be used, or its trials are of several arms or
            backends, and ``mix`` is false.
    """
    record = store.run(run)
    own = record.config.task
    if not mix:
        refuse_mixed(run, record.mixed)
    found = [
        _Candidate(trial.name, trial.number, own, trial, _unfinished(trial.status))
        for trial in store.trials(run)
    ]
    note = f", mixed on purpose: {record.mixed}" if record.mixed else ""
    arms = distinct(ArmId.of_way(way) for way in (record.execution, *store.executions(run)))
    return replace(_recording(found, task, numbers, f"run {run}{note}"), arms=arms)


def _poor(trial: RecordedTrial) -> str | None:
    if trial.path is not None and not trial.path.good:
        return f"perception calls its path poor: {trial.path.reason or 'no reason given'}"
    return _unfinished(trial.status)


def _unfinished(status: TrialStatus | None) -> str | None:
    """Return the reason why theta was perhaps not executed to its end, None if it was."""
    stopped = status in (TrialStatus.FAILED, TrialStatus.CANCELLED, TrialStatus.INTERRUPTED)
    return f"its motion may have been stopped: it is {status}" if stopped else None


def _recording(
    found: Sequence[_Candidate], task: str | None, numbers: Collection[int] | None, source: str
) -> CalibrationTrials:
    if numbers is not None:
        missing = sorted(set(numbers) - {trial.number for trial in found})
        if missing:
            raise UsageError(
                f"{source} has no trial {', '.join(map(str, missing))}: it has "
                f"{', '.join(str(trial.number) for trial in found) or 'none'}"
            )
        found = [trial for trial in found if trial.number in numbers]
    chosen = TASKS.get(_task_name(found, task, source))
    usable, left_out = list[Trial](), list[str]()
    for one in found:
        why = _unusable(one, chosen)
        if why:
            left_out.append(f"trial {one.name}: {why}")
        elif one.trial is not None:
            usable.append(one.trial)
    if not usable:
        raise UsageError(
            f"{source}: no trial of {chosen.name} can be used"
            + (f" ({left_out[0]})" if left_out else ", there is none")
        )
    kept = np.unique(np.linspace(0, len(usable) - 1, MAX_TRIALS).round().astype(int))
    if len(kept) < len(usable):
        left_out.append(f"{len(usable) - len(kept)} of {len(usable)} trials: {MAX_TRIALS} suffice")
    return CalibrationTrials(chosen, tuple(usable[i] for i in kept), source, tuple(left_out))


def _task_name(found: Sequence[_Candidate], asked: str | None, source: str) -> str:
    names = sorted({trial.task for trial in found})
    if asked is not None and asked in names:
        return asked
    if asked is not None:
        raise UsageError(f"{source} has no trial of task {asked!r}, only of {', '.join(names)}")
    if len(names) != 1:
        raise UsageError(f"{source} has trials of {', '.join(names) or 'no task'}: give --task")
    return names[0]


def _unusable(found: _Candidate, task: Task) -> str | None:
    """Return the reason why a trial cannot be used, None if it can."""
    trial = found.trial
    if found.task != task.name:
        return f"of task {found.task}"
    if trial is None:
        return "what was executed is not known"
    if trial.trajectory is None:
        return "it has no trajectory"
    if found.poor:
        return found.poor
    space = task.space
    fits = trial.theta.shape == (space.dim,)
    if not fits or not np.all(np.abs(space.normalise(trial.theta)) <= 1.0 + _THETA_ROUNDING):
        return f"theta {np.round(trial.theta, 4).tolist()} is not a theta of {task.name}"
    there = int(np.isfinite(trial.trajectory.positions).all(axis=1).sum())
    if there < MIN_SAMPLES:
        return f"{there} samples of its path are there, at least {MIN_SAMPLES} are needed"
    return None
