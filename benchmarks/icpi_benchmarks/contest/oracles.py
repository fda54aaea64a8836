"""Improvers that know the hidden physics: bounds to compare with, never offered in a run.

Gauss-Newton whose Jacobian comes from the true simulator under the true physics, always from the
best trial so far.  The rollouts that the Jacobian takes are not counted as trials: what it shows
is how fast a method could be that had learned the local behaviour perfectly.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icpi_benchmarks.contest.shared_simulator import shared_simulator
from icpi_ros.core.errors import ExecutionFailed, ObservationMissing, Refusal
from icpi_ros.core.registry import Registry
from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import Context, Improver, best, failures, without_options
from icpi_ros.improvers.options import option
from icpi_ros.improvers.ridge import Ridge
from icpi_ros.learn.regression import boxed_step
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

ORACLES: Registry[type[Oracle]] = Registry(
    "oracle",
    {
        "oracle": "icpi_benchmarks.contest.oracles:Oracle",
        "ridge-oracle": "icpi_benchmarks.contest.oracles:RidgeOracle",
    },
)


@dataclass(frozen=True)
class OracleOptions:
    """Measured on training draws, see docs/baselines.md.

    The offset is so large that contact noise of 0.1 to 1.5 mm hardly counts.
    """

    offset: float = option(
        0.06, "offset of the central differences, in scaled theta", low=1e-4, high=1.0
    )
    damping: float = option(
        0.03, "damping of the step", unit="share of the largest singular value", low=1e-6, high=10.0
    )
    shrink: float = option(
        0.5, "factor on the step per trial since the best one", low=1e-3, high=1.0
    )


class Oracle(Improver):
    """Gauss-Newton with the true simulator's Jacobian, from the first attempt on."""

    name: ClassVar[str] = "oracle"
    summary: ClassVar[str] = "Gauss-Newton with the true simulator's Jacobian"
    needs_dataset: ClassVar[bool] = False
    Options = OracleOptions
    options: OracleOptions

    def __init__(self, context: Context, task: Task, arm: Arm, physics: Array) -> None:
        """Remember task, arm and hidden physics ``(P,)``.

        Raises:
            InvalidValue: a wrong option.
        """
        super().__init__(context)
        self._task, self._simulate = task, shared_simulator(task, arm, physics)
        self._known: dict[bytes, Array] = {}

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return best theta + Gauss-Newton step, in the box; see :meth:`Improver.propose`.

        Raises:
            ExecutionFailed: too few thetas around the best one give an outcome.
        """
        start = time.perf_counter()
        theta = self._step(history, rng)
        return Proposal(theta, self.name, latency=time.perf_counter() - start)

    def _step(self, history: Sequence[Outcome], rng: np.random.Generator) -> Array:
        base, chosen, space = best(history), self.options, self.context.space
        jacobian = self._jacobian(base.theta)
        here, error = space.normalise(base.theta), base.error * self.context.cost_mask
        step = boxed_step(jacobian, error, chosen.damping, -1.0 - here, 1.0 - here)
        step *= chosen.shrink ** failures(history)
        return space.project(base.theta + step * space.half_range)[0]

    def _jacobian(self, theta: Array) -> Array:
        """Return the Jacobian ``(m, d)`` of the masked error in scaled theta.

        By a linear fit, because at the border of the space the differences are one-sided.
        """
        key = theta.tobytes()
        if key not in self._known:
            self._known = {key: self._differences(theta)}
        return self._known[key]

    def _differences(self, theta: Array) -> Array:
        space = self.context.space
        centre = space.normalise(theta)
        offsets = self.options.offset * np.vstack([np.eye(space.dim), -np.eye(space.dim)])
        points = np.clip(np.vstack([centre + offsets, centre]), -1.0, 1.0)
        thetas = np.clip(space.denormalise(points), space.lower, space.upper)
        errors = self._errors(thetas)
        seen = np.isfinite(errors).all(axis=1)
        if seen.sum() <= space.dim:
            raise ExecutionFailed("the oracle has no Jacobian: rollouts around the trial failed")
        inputs = np.column_stack([np.ones(seen.sum()), points[seen] - centre])
        fit = np.linalg.lstsq(inputs, errors[seen] * self.context.cost_mask, rcond=None)[0]
        return np.asarray(fit[1:].T)

    def _errors(self, thetas: Array) -> Array:
        """Return the errors ``(N, m)`` of ``(N, d)`` thetas; NaN where there is no outcome."""
        errors = np.full((len(thetas), len(self.context.cost_mask)), np.nan)
        for row, path in zip(errors, self._simulate(thetas), strict=True):
            if not isinstance(path, Refusal):
                with contextlib.suppress(ObservationMissing):
                    row[:] = self._task.error(path, self.context.goal)
        return errors


class RidgeOracle(Oracle):
    """The first step of ``ridge``, then the oracle."""

    name: ClassVar[str] = "ridge-oracle"
    summary: ClassVar[str] = "first step of ridge, then the oracle"
    needs_dataset: ClassVar[bool] = True

    def __init__(self, context: Context, task: Task, arm: Arm, physics: Array) -> None:
        """Remember task, arm and hidden physics ``(P,)``; index the data set.

        Raises:
            InvalidValue: a wrong option, or too few examples.
        """
        super().__init__(context, task, arm, physics)
        self._ridge = Ridge(without_options(context))

    def _step(self, history: Sequence[Outcome], rng: np.random.Generator) -> Array:
        if len(history) == 1:
            return self._ridge.propose(history, rng).theta
        return super()._step(history, rng)
