"""Repeatability: how far outcomes of one theta differ, the floor of what a run can reach."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Array, Outcome, Trial
from icpi_ros.improvers.base import REPEAT
from icpi_ros.tasks.base import Task


@dataclass(frozen=True)
class Repeatability:
    """Deviation of outcomes from the mean of their theta.

    Attributes:
        repeats: trials beyond the first of each theta; the degrees of freedom of the estimate.
        std: ``(m,)`` of each error, in its unit.
        floor: cost [m] that such deviations alone leave, RMS over the errors that count.
    """

    repeats: int
    std: Array
    floor: float

    @property
    def uncertainty(self) -> float:
        """Relative standard error of the floor, 1 / sqrt(2 repeats)."""
        return float(1.0 / np.sqrt(2.0 * self.repeats))


def repeatability(task: Task, trials: Iterable[Trial]) -> Repeatability:
    """Return the pooled deviation of the trials that share a theta.

    Args:
        task: of the trials.
        trials: of one robot and one object; those without an outcome are left out.

    Raises:
        UsageError: no theta was executed and observed twice.
    """
    groups = _groups(task, [found for trial in trials if (found := trial.outcome) is not None])
    repeats = sum(len(group) - 1 for group in groups)
    if repeats < 1:
        raise UsageError(
            "no theta was executed and observed twice: repeatability needs trials of one theta, "
            "such as those of `icpi run --improver repeat`"
        )
    residuals = [np.array([one.error for one in group]) for group in groups if len(group) > 1]
    squares = sum(((part - part.mean(axis=0)) ** 2).sum(axis=0) for part in residuals)
    std = np.sqrt(squares / repeats)
    return Repeatability(repeats, std, task.cost(std))


def _groups(task: Task, outcomes: list[Outcome]) -> list[list[Outcome]]:
    """Return outcomes by theta; thetas closer than a repeat are one."""
    groups: list[list[Outcome]] = []
    for one in outcomes:
        scaled = task.space.normalise(one.theta)
        same = (
            group
            for group in groups
            if np.abs(task.space.normalise(group[0].theta) - scaled).max() < REPEAT
        )
        group = next(same, None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return groups
