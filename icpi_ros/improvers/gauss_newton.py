"""Gauss-Newton with in-run hindsight: a local Jacobian, and the step that zeroes the error.

The Jacobian J of the error in theta is fitted, in scaled coordinates, to differences between
executions under the same physics, e_j - e_i = J (theta_j - theta_i):

* pairs of the data set (examples and labels of one draw), the more the nearer the pair's middle
  is to the best trial so far in theta and in error;
* all pairs of the run's own trials, the more the nearer they are to the best one.

Both weigh less the farther i and j lie apart.  With every trial that did not improve on the best
one the data set loses weight and the step is halved.  Steps have least norm, because a task may
have more parameters than errors, and stay in the space.  The first step is that of ``ridge``:
after a single trial the labels are worth more than a Jacobian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome
from icpi_ros.improvers.base import Context, IndexedOptions, best, failures
from icpi_ros.improvers.options import fixed, option
from icpi_ros.improvers.ridge import LocalRidge, RidgeOptions
from icpi_ros.learn.executions import Executions
from icpi_ros.learn.regression import boxed_step, weighted_ridge

MAX_TRIALS = 20
"""Only the trials nearest to the best one make pairs, so that a long history stays cheap."""


def distance(default: float, text: str) -> Any:
    """Return an option that is a scaled distance."""
    return option(default, text, low=1e-3, high=1e3)


@dataclass(frozen=True)
class GaussNewtonOptions(IndexedOptions):
    """Tuned on training draws, see docs/baselines.md."""

    k: int = fixed(RidgeOptions.k)
    features: str = fixed(RidgeOptions.features)
    executions: int = option(
        100,
        "executions of the data set that make pairs, nearest to the best trial",
        low=1,
        high=2000,
    )
    near_theta: float = distance(
        0.2, "scaled distance of theta over which a pair of the data set loses its weight"
    )
    near_error: float = distance(
        0.2, "scaled distance of the error over which a pair of the data set loses its weight"
    )
    pair_softening: float = distance(
        0.2, "scaled distance below which pairs of the data set weigh the same"
    )
    own_weight: float = option(
        15.0, "weight of a pair of the run's own; one of the data set has 1", low=0.0, high=1e6
    )
    own_softening: float = distance(
        0.05, "as pair_softening, for the run's own pairs; damps contact noise"
    )
    own_reach: float = distance(
        0.5, "scaled distance from the best trial over which an own pair loses its weight"
    )
    penalty: float = option(0.03, "ridge on the scaled Jacobian", low=1e-9, high=1e3)
    damping: float = option(
        0.2, "damping of the step", unit="share of the largest singular value", low=1e-6, high=10.0
    )
    shrink: float = option(
        0.5, "factor on the step per trial since the best one", low=1e-3, high=1.0
    )
    doubt: float = option(
        0.3, "factor on the weight of the data set per trial since the best one", low=0.0, high=1.0
    )
    ridge_first: bool = option(True, "take the first step of ridge")


class GaussNewton(LocalRidge):
    """Steps from the best trial by a fitted Jacobian; see the module's text."""

    name: ClassVar[str] = "gauss-newton"
    summary: ClassVar[str] = "Gauss-Newton, Jacobian from the data set and the run's own pairs"
    Options = GaussNewtonOptions
    options: GaussNewtonOptions

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._done = Executions.of(context.dataset, context.space, context.goal)
        self._errors = self._index.scale.error(self._done.errors)

    def _step(self, history: Sequence[Outcome]) -> tuple[Outcome, Array]:
        base, chosen = best(history), self.options
        if len(history) == 1 and chosen.ridge_first:
            return base, self._local_step(base)
        jacobian = self._jacobian(base, history)
        return base, chosen.shrink ** failures(history) * self._newton(jacobian, base)

    def _newton(self, jacobian: Array, base: Outcome) -> Array:
        """Return the scaled step ``(d,)`` from ``base`` that zeroes its error, in the space."""
        here, chosen = self._index.scale.theta(base.theta), self.options
        error = self._index.scale.error(base.error)
        return boxed_step(jacobian, error, chosen.damping, -1.0 - here, 1.0 - here)

    def _jacobian(self, base: Outcome, history: Sequence[Outcome]) -> Array:
        """Return the scaled Jacobian ``(m, d)`` of the error around ``base``."""
        steps, changes, weights = self._data_pairs(base)
        own_steps, own_changes, own_weights = self._own_pairs(base, history)
        doubted = self.options.doubt ** failures(history) * weights
        return weighted_ridge(
            np.vstack([steps, own_steps]),
            np.vstack([changes, own_changes]),
            np.concatenate([doubted, own_weights]),
            np.full(steps.shape[1], self.options.penalty),
        ).T

    def _data_pairs(self, base: Outcome) -> tuple[Array, Array, Array]:
        """Return scaled steps ``(p, d)``, error changes ``(p, m)``, weights ``(p,)``."""
        chosen, scale = self.options, self._index.scale
        theta = (self._done.points - scale.theta(base.theta)) / chosen.near_theta
        error = (self._errors - scale.error(base.error)) / chosen.near_error
        away = np.concatenate([theta, error], axis=1)
        squared = np.sum(away**2, axis=1)
        near = np.argsort(squared, kind="stable")[: chosen.executions]
        i, j = self._done.pairs(near)
        steps = self._done.points[j] - self._done.points[i]
        middle = np.sum((0.5 * (away[i] + away[j])) ** 2, axis=1)
        weights = np.exp(-0.5 * (middle - middle.min(initial=np.inf)))
        weights /= np.sum(steps**2, axis=1) + chosen.pair_softening**2
        return steps, self._errors[j] - self._errors[i], weights

    def _own_pairs(self, base: Outcome, history: Sequence[Outcome]) -> tuple[Array, Array, Array]:
        """Return the same of the run's own pairs."""
        scale, chosen = self._index.scale, self.options
        thetas = scale.theta(np.array([outcome.theta for outcome in history]))
        errors = scale.error(np.array([outcome.error for outcome in history]))
        away = np.linalg.norm(thetas - scale.theta(base.theta), axis=1)
        near = np.argsort(away, kind="stable")[:MAX_TRIALS]
        i, j = (near[ends] for ends in np.triu_indices(len(near), 1))
        steps = thetas[j] - thetas[i]
        weights = chosen.own_weight / (np.sum(steps**2, axis=1) + chosen.own_softening**2)
        weights *= np.exp(-0.5 * (np.maximum(away[i], away[j]) / chosen.own_reach) ** 2)
        return steps, errors[j] - errors[i], weights
