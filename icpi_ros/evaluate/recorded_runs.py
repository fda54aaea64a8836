"""Runs of a bag: trials in order, checked against their task, and the run's seed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from icpi_ros.bags.formats.raw import shown
from icpi_ros.bags.parameters import RecordedSetup
from icpi_ros.bags.trials import RecordedTrial
from icpi_ros.core.errors import InvalidValue, UnknownName, UsageError
from icpi_ros.core.types import Array, TrialStatus
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

MAX_SEEDS = 10_000
"""Number of seeds from 0 on that are tried where the seed of a run is not given."""
THETA_ROUNDING = 1e-9
"""Rounding of a theta at the border of its range, scaled to [-1, 1]."""
FIRST_DRAWS = 16
"""Draws of a seed that a first attempt is looked for among."""


@dataclass(frozen=True)
class RecordedRunSettings:
    """Settings of a recorded run, as far as they are known.

    Attributes:
        seed: trial n draws from ``default_rng([seed, n])``.
        seed_from: ``given``, ``found`` (it reproduces the first attempt) or ``assumed``.
        setup: of the graph.
    """

    seed: int = 0
    seed_from: str = "assumed"
    setup: RecordedSetup = field(default_factory=RecordedSetup)


@dataclass(frozen=True)
class RecordedRun:
    """One run of a bag: one task, one goal, one physics.

    Attributes:
        run_id: of the run.
        task: of the run.
        improver: that was asked for; "" = not known.
        goal: ``(g,)``.
        trials: by number, the last attempt of each.
        settings: what it was started with.
    """

    run_id: str
    task: Task
    improver: str
    goal: Array
    trials: tuple[RecordedTrial, ...]
    settings: RecordedRunSettings = field(default_factory=RecordedRunSettings)

    @property
    def done(self) -> list[RecordedTrial]:
        """Trials with an outcome."""
        return [trial for trial in self.trials if trial.outcome is not None]


@dataclass(frozen=True)
class GroupedRuns:
    """Runs, and one line for everything that belongs to none."""

    runs: tuple[RecordedRun, ...]
    skipped: tuple[str, ...]


def group(
    trials: Sequence[RecordedTrial], task: str | None = None, run_id: str | None = None
) -> GroupedRuns:
    """Sort recorded trials into runs.

    Args:
        trials: of a bag.
        task: only runs of it; None = all.
        run_id: only this run; None = all.

    Raises:
        UnknownName: no such task here, or no such run in the bag.
        UsageError: no trial that was recorded belongs to a run that can be evaluated.
    """
    if task is not None:
        TASKS.get(task)
    found: dict[str, list[RecordedTrial]] = {}
    for trial in trials:
        if trial.status is not None and trial.number >= 0:
            found.setdefault(trial.run_id, []).append(trial)
    if run_id is not None and run_id not in found:
        raise UnknownName("run in this bag", run_id, found or {"(none)": 0})
    runs, skipped = [], _without_run(trials)
    for name, members in found.items():
        if run_id not in (None, name) or task not in (None, members[0].task):
            continue
        try:
            runs.append(_run(name, members))
        except UsageError as exc:
            skipped.append(f"run {name or '(no id)'} is skipped: {exc}")
    if not runs:
        raise UsageError(_nothing(found, task, skipped))
    return GroupedRuns(tuple(runs), tuple(skipped))


def _nothing(
    found: Mapping[str, Sequence[RecordedTrial]], task: str | None, skipped: list[str]
) -> str:
    if task and found:
        others = shown(members[0].task for members in found.values())
        return f"the bag has no run of task {task!r}: its runs are of {others}"
    if found:
        return skipped[-1]
    why = f" ({skipped[0]})" if skipped else ""
    return f"the bag has no run with trials{why}: was topic trials recorded?"


def _without_run(trials: Iterable[RecordedTrial]) -> list[str]:
    count = sum(trial.status is None for trial in trials)
    return [f"windows without a recorded trial are not evaluated: {count}"] if count else []


def _run(run_id: str, members: Sequence[RecordedTrial]) -> RecordedRun:
    """Return one run.

    Raises:
        UsageError: unknown task, or its trials do not fit it or each other.
    """
    task = TASKS.get(members[0].task)
    last = {trial.number: trial for trial in sorted(members, key=_attempt)}
    trials = tuple(last[number] for number in sorted(last))
    goal = trials[0].goal
    if goal is None or goal.shape != (task.goal_space.dim,) or not np.isfinite(goal).all():
        raise InvalidValue(f"its goal {goal} is not one of task {task.name}")
    task.check_goal(goal)
    for trial in trials:
        _check(trial, task, goal)
    origins = [trial.trial.origin for trial in trials if trial.trial is not None]
    asked = Counter(origin.improver for origin in origins if origin.improver)
    improver = asked.most_common(1)[0][0] if asked else ""
    return RecordedRun(run_id, task, improver, goal, trials)


def _attempt(trial: RecordedTrial) -> tuple[int, bool, int]:
    """Sort key: what was done counts more than what failed, later more than earlier."""
    return trial.number, trial.status is TrialStatus.DONE, trial.start


def _check(recorded: RecordedTrial, task: Task, goal: Array) -> None:
    where = f"trial {recorded.number}"
    if recorded.task != task.name:
        raise InvalidValue(f"{where} is of task {recorded.task!r}, others of {task.name!r}")
    if recorded.goal is None or not np.array_equal(recorded.goal, goal):
        raise InvalidValue(f"{where} has the goal {recorded.goal}, the first one {goal}")
    trial = recorded.trial
    assert trial is not None  # the caller leaves others out
    names = trial.origin.theta_names
    if names and names != task.space.names:
        raise InvalidValue(
            f"{where} has the parameters {', '.join(names)}, task {task.name} has "
            f"{', '.join(task.space.names)}"
        )
    theta = task.space.as_vector(trial.theta)
    if np.any(np.abs(task.space.normalise(theta)) > 1.0 + THETA_ROUNDING):
        raise InvalidValue(f"{where} has the theta {theta}, which is not one of task {task.name}")
    error = trial.error
    if error is not None and (
        error.shape != (len(task.error_names),) or not np.isfinite(error).all()
    ):
        raise InvalidValue(
            f"{where} has the error {error}, expected {len(task.error_names)} values"
        )
    if error is not None and not np.isfinite(trial.cost):
        raise InvalidValue(f"{where} has an error but no cost")


def settled(run: RecordedRun, seed: int | None, setup: RecordedSetup) -> RecordedRun:
    """Return the run with its settings; ``seed`` None = find it, else take 0."""
    if seed is not None:
        return replace(run, settings=RecordedRunSettings(seed, "given", setup))
    known = find_seed(run)
    source = "assumed" if known is None else "found"
    return replace(run, settings=RecordedRunSettings(known or 0, source, setup))


def find_seed(run: RecordedRun, max_seeds: int = MAX_SEEDS) -> int | None:
    """Return the seed below ``max_seeds`` that reproduces the run's first attempt; None = no such.

    The first attempt is one of the seed's first draws: those that the arm could not execute were
    passed over.
    """
    first = run.trials[0].trial
    if first is None or first.number != 0:
        return None
    for seed in range(max_seeds):
        draws = run.task.space.sample(np.random.default_rng([seed, 0]), FIRST_DRAWS)
        if (draws == first.theta).all(axis=1).any():
            return seed
    return None
