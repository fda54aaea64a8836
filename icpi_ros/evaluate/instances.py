"""Solved instances: any two recorded trials of a run, the outcome of one as goal of the other.

ICPI, arXiv 2508.15021, "hindsight relabelling": all trials of a run are of one physics, so theta
of trial b solves the goal that its own outcome reaches, exactly; errors of the others to that goal
are measured.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.errors import DatasetError, ObservationMissing
from icpi_ros.core.types import Array, Trial
from icpi_ros.learn.building.hindsight import choose_pairs, outcome_goal
from icpi_ros.runs.outcome import outcome
from icpi_ros.tasks.base import Task

PAIRS = 12
"""Pairs (a, b) of a run that are used by default, besides one goal per recorded trial."""


@dataclass(frozen=True)
class SolvedInstance:
    """A history under the run's physics, a goal, and a theta that reaches it.

    Attributes:
        goal: ``(g,)`` what the outcome of ``solution`` reached.
        history: trials that an improver is shown, oldest first; errors are to ``goal``, measured.
        solution: the trial that reaches the goal.
    """

    goal: Array
    history: tuple[Trial, ...]
    solution: Trial


def solved_instances(
    task: Task, executed: Sequence[Trial], pairs: int = PAIRS, seed: int = 0
) -> list[SolvedInstance]:
    """Return one instance per trial (all before it are its history), then random pairs.

    Empty where the task does not determine which goal an outcome reaches.

    Args:
        task: of the trials.
        executed: the run's trials, by number.
        pairs: how many pairs (a, b) with trial a alone as history.
        seed: of their choice.
    """
    count = len(executed)
    try:
        goals = [outcome_goal(task, trial.path) for trial in executed]
    except (DatasetError, ObservationMissing):
        return []
    found = [_instance(task, executed[:b], goals[b], executed[b]) for b in range(1, count)]
    if count > 1 and pairs:
        rng = np.random.default_rng([seed, count])
        chosen = choose_pairs(count, pairs, rng).tolist()
        found += [_instance(task, [executed[a]], goals[b], executed[b]) for a, b in chosen]
    return found


def _instance(task: Task, shown: Sequence[Trial], goal: Array, solution: Trial) -> SolvedInstance:
    return SolvedInstance(goal, tuple(_seen_to(task, goal, trial) for trial in shown), solution)


def _seen_to(task: Task, goal: Array, trial: Trial) -> Trial:
    """Return a trial as it would have been in a run with that goal ``(g,)``."""
    found = outcome(task, goal, trial.theta, trial.path)
    return replace(trial, error=found.error, cost=found.cost)
