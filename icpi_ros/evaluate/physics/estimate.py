"""Result of a system identification: physics with intervals, and what remains unknown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from icpi_ros.core.types import Array, Trial
from icpi_ros.evaluate.physics.fit import PRIOR, PhysicsFit
from icpi_ros.evaluate.physics.residuals import DELAY
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.belief import Belief

LEVEL = 0.9
"""Probability of the stated intervals."""
UNKNOWN_SHARE = 0.6
"""Standard deviation from which a parameter is not known, as a share of that of its range."""
UNIFORM_SHARE = 0.95
"""The same share for a parameter of which nothing at all is known."""
TIED_CORRELATION = 0.9
"""Correlation from which two parameters are only known together."""
BORDER_VALUE = 0.97
"""Scaled value from which a known parameter counts as at the border of its range."""
MAX_RMS = 0.01
"""Root mean square residual of a trial above which it counts as not explained [m]."""


@dataclass(frozen=True)
class ParameterEstimate:
    """One hidden parameter.

    Attributes:
        name, unit: as in the task.
        value: estimate [unit].
        deviation: standard deviation [unit].
        interval: [unit] that holds the true value with probability ``LEVEL``, inside the range.
        known: False: the recordings hardly determine more than the task's range does.
        border: ``lower`` or ``upper`` if the estimate lies at that end of its range, else None.
    """

    name: str
    unit: str
    value: float
    deviation: float
    interval: tuple[float, float]
    known: bool
    border: Literal["lower", "upper"] | None


@dataclass(frozen=True)
class TrialResidual:
    """Residual of a trial: root mean square and last distance [m], delay [s]."""

    name: str
    rms: float
    end: float
    delay: float


@dataclass(frozen=True)
class PhysicsEstimate:
    """Hidden physics of a table.

    Attributes:
        belief: mean and covariance.
        parameters: one by one, in the order of the task.
        tied: pairs that are only known together, with their correlation.
        trials: how well each is explained.
        noise: of the recordings [m].
        rough: of the simulation [m].
        rollouts: simulated for it.
        settled: False: the fit was stopped before it settled.
    """

    belief: Belief
    parameters: tuple[ParameterEstimate, ...]
    tied: tuple[tuple[str, str, float], ...]
    trials: tuple[TrialResidual, ...]
    noise: float
    rough: float
    rollouts: int
    settled: bool

    @property
    def poor(self) -> tuple[TrialResidual, ...]:
        """Trials that no physics explains."""
        return tuple(trial for trial in self.trials if trial.rms > MAX_RMS)


def estimate_of(task: Task, trials: Sequence[Trial], found: PhysicsFit) -> PhysicsEstimate:
    """Return a fit in units, with intervals and what is not known."""
    space = task.physics_space
    half = space.half_range
    mean = space.project(space.denormalise(found.scaled))[0]
    std = np.sqrt(np.diag(found.covariance))
    low, high = (space.project(space.denormalise(ends))[0] for ends in _interval(found.scaled, std))
    parameters = tuple(
        ParameterEstimate(
            name=p.name,
            unit=p.unit,
            value=float(mean[i]),
            deviation=float(half[i] * std[i]),
            interval=(float(low[i]), float(high[i])),
            known=bool(std[i] <= UNKNOWN_SHARE * PRIOR),
            border=_border(found.scaled[i], std[i]),
        )
        for i, p in enumerate(space.parameters)
    )
    return PhysicsEstimate(
        belief=Belief.of(task, mean, found.covariance * np.outer(half, half)),
        parameters=parameters,
        tied=_tied(space.names, found.covariance / np.outer(std, std)),
        trials=_trial_residuals(trials, found),
        noise=found.noise.deviation,
        rough=float(np.sqrt(np.mean(found.noise.rough**2))),
        rollouts=found.rollouts,
        settled=found.settled,
    )


def _interval(scaled: Array, std: Array) -> tuple[Array, Array]:
    """Return the ends ``(P,)`` of intervals in scaled physics, inside the range.

    Where nothing is known they are those of the range itself, evenly distributed.
    """
    below, above = (-1.0 - scaled) / std, (1.0 - scaled) / std
    from scipy.stats import truncnorm  # scipy.stats is 1.3 s that a wrong option need not take

    low, high = truncnorm.interval(LEVEL, below, above, scaled, std)
    unknown = std > UNIFORM_SHARE * PRIOR
    return np.where(unknown, -LEVEL, low), np.where(unknown, LEVEL, high)


def _border(scaled: float, std: float) -> Literal["lower", "upper"] | None:
    if std > UNKNOWN_SHARE * PRIOR or abs(scaled) < BORDER_VALUE:
        return None
    return "lower" if scaled < 0.0 else "upper"


def _tied(names: Sequence[str], correlation: Array) -> tuple[tuple[str, str, float], ...]:
    rows, columns = np.nonzero(np.triu(np.abs(correlation) >= TIED_CORRELATION, k=1))
    return tuple(
        (names[i], names[j], float(correlation[i, j]))
        for i, j in zip(rows.tolist(), columns.tolist(), strict=True)
    )


def _trial_residuals(trials: Sequence[Trial], found: PhysicsFit) -> tuple[TrialResidual, ...]:
    parts = np.split(found.residuals, np.cumsum(found.lengths)[:-1])
    return tuple(
        TrialResidual(
            name=trial.name,
            rms=float(np.sqrt(np.mean(np.sum(part**2, axis=1)))),
            end=float(np.linalg.norm(part[-1])),
            delay=float(DELAY * nuisances[0]),
        )
        for trial, part, nuisances in zip(trials, parts, found.nuisances, strict=True)
    )
