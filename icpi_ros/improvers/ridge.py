"""Local ridge regression in context, without and with the run's own trials as examples.

``ridge``: dtheta = b + A (x - q) is fitted to the 10 nearest examples x = (theta, e) around the
query q; the adjustment is b.

``ridge-hindsight``, always from the best trial so far, in scaled coordinates
(``icpi_ros.learn.retrieval.Scale``):

1. While the run has one outcome it does the same with 40 examples.
2. From the second outcome on, every ordered pair (i, j) of the run's trials is an exact example
   under the run's hidden physics: had j's outcome been the goal, trial i would have had the
   error e_i - e_j and needed dtheta = theta_j - theta_i.  dtheta = G e is fitted to these pairs
   and to the neighbours.  Pairs of near trials weigh up to 400 times an example, so close
   to the goal G is the run's own secant, as in Gauss-Newton with hindsight; the neighbours decide
   the directions in which the run has not moved yet.  With every trial that did not improve on
   the best one the data set loses weight and the step is limited to a smaller neighbourhood, so
   that wrong labels cannot hold the run up.

The constants of ``ridge-hindsight`` were tuned on closed-form slides (test/toy.py) with seeds that
no test uses, those of ``ridge`` on training draws of the tasks (docs/baselines.md).
"""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import Context, IndexedImprover, IndexedOptions, best, failures
from icpi_ros.improvers.options import fixed, option
from icpi_ros.learn.regression import gaussian_weights, ordered_pairs, shortened, weighted_ridge

PAIR_WEIGHT = 1.0
PAIR_SOFTENING = 0.05
"""Scaled distance below which pairs weigh the same; damps the noise of near pairs."""
PAIR_REACH = 0.3
"""Scaled theta distance from the best trial over which a pair loses its weight."""
DOUBT = 0.3
"""Factor on the weight of the data set, and on the step's limit, per trial since the best one."""
MAX_TRIALS = 20
"""Only the trials nearest to the best one make pairs, so that a long history stays cheap."""
MAX_STEP = 2.0
"""Longest scaled step: the range of one parameter."""


@dataclass(frozen=True)
class RidgeOptions(IndexedOptions):
    """Options of the fit to the examples around a trial."""

    k: int = 10
    penalty: float = option(0.003, "ridge on the scaled slopes", low=1e-9, high=1e3)
    bandwidth: float = option(
        1.0,
        "standard deviation of the Gaussian weights",
        unit="share of the farthest neighbour's distance",
        low=0.05,
        high=100.0,
    )
    from_best: bool = option(False, "start from the best trial so far instead of the latest")


@dataclass(frozen=True)
class RidgeHindsightOptions(RidgeOptions):
    """The same with other defaults; always from the best trial."""

    k: int = 40
    penalty: float = 0.03
    bandwidth: float = 0.5
    from_best: bool = fixed(True)


class LocalRidge(IndexedImprover):
    """Query-centred ridge on near examples, and a step that subclasses make of it."""

    local: RidgeOptions = RidgeOptions()

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return theta + fitted adjustment; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        base, step = self._step(history)
        theta = base.theta + self._index.scale.unscale_dtheta(step)
        theta = self._fresh(theta, base, history, rng)
        return Proposal(theta, self.name, latency=time.perf_counter() - start)

    @abstractmethod
    def _step(self, history: Sequence[Outcome]) -> tuple[Outcome, Array]:
        """Return the trial to start from and the scaled adjustment ``(d,)``."""

    def _neighbourhood(self, base: Outcome) -> tuple[Array, Array, Array, Array]:
        """Return scaled query ``(d+f,)``, examples ``(k, d+f)``, labels ``(k, d)``, weights."""
        scale, seen = self._index.scale, self._seen(base)
        near = self._index.query(base.theta, seen, self._k)
        query = scale.point(base.theta, seen)
        weights = gaussian_weights(self._index.distances(query, near), self.local.bandwidth)
        labels = scale.dtheta(self.context.dataset.dtheta[near])
        return query, self._index.points[near], labels, weights

    def _local_step(self, base: Outcome) -> Array:
        """Return the scaled adjustment ``(d,)`` that the data set alone suggests."""
        query, points, labels, weights = self._neighbourhood(base)
        inputs = np.column_stack([np.ones(len(points)), points - query])
        penalty = np.full(inputs.shape[1], self.local.penalty)
        penalty[0] = 1e-9  # the intercept is the answer: it must not be shrunk
        return np.asarray(weighted_ridge(inputs, labels, weights, penalty)[0])


class Ridge(LocalRidge):
    """The adjustment that the fit gives; see the module's text."""

    name: ClassVar[str] = "ridge"
    summary: ClassVar[str] = "local ridge on near examples"
    Options = RidgeOptions
    options: RidgeOptions

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.local = self.options

    def _step(self, history: Sequence[Outcome]) -> tuple[Outcome, Array]:
        base = best(history) if self.options.from_best else history[-1]
        return base, self._local_step(base)


class RidgeHindsight(Ridge):
    """The same, from the second outcome on with all pairs of the run's trials as examples."""

    name: ClassVar[str] = "ridge-hindsight"
    summary: ClassVar[str] = "local ridge on near examples and on all pairs of the run's trials"
    Options = RidgeHindsightOptions

    def _step(self, history: Sequence[Outcome]) -> tuple[Outcome, Array]:
        base = best(history)
        return base, self._local_step(base) if len(history) == 1 else self._secant(base, history)

    def _secant(self, base: Outcome, history: Sequence[Outcome]) -> Array:
        """Return the scaled adjustment ``(d,)`` from neighbours and the run's own pairs."""
        _, points, labels, weights = self._neighbourhood(base)
        features, steps, trust = self._pairs(base, history)
        failed = failures(history)
        inputs = np.vstack([points[:, self.context.space.dim :], features])
        gain = weighted_ridge(
            inputs,
            np.vstack([labels, steps]),
            np.concatenate([DOUBT**failed * weights, trust]),
            np.full(inputs.shape[1], DOUBT**failed * self.local.penalty + 1e-9),
        )
        step = np.asarray(self._index.scale.error(self._seen(base)) @ gain)
        return shortened(step, MAX_STEP * DOUBT ** max(failed - 1, 0))

    def _pairs(self, base: Outcome, history: Sequence[Outcome]) -> tuple[Array, Array, Array]:
        """Return scaled features ``(p, f)``, adjustments ``(p, d)``, weights of in-run pairs."""
        scale = self._index.scale
        thetas = scale.theta(np.array([outcome.theta for outcome in history]))
        errors = np.array([outcome.error for outcome in history])
        away = np.linalg.norm(thetas - scale.theta(base.theta), axis=1)
        near = np.argsort(away, kind="stable")[:MAX_TRIALS]
        i, j = (near[ends] for ends in ordered_pairs(len(near)))
        steps = thetas[j] - thetas[i]
        weights = PAIR_WEIGHT / (np.sum(steps**2, axis=1) + PAIR_SOFTENING**2)
        weights *= np.exp(-0.5 * (away[i] / PAIR_REACH) ** 2)
        return scale.error(self._features.pair(errors[i], errors[j])), steps, weights
