"""Local ridge regression in context, with the run's own trials as examples (in-run hindsight).

Always from the best trial so far, in scaled coordinates (``icpi_ros.context.retrieval.Scale``):

1. While the run has one outcome: dtheta = b + A (x - q) is fitted to the 40 nearest examples
   x = (theta, e) around the query q; the adjustment is b.
2. From the second outcome on, every ordered pair (i, j) of the run's trials is an exact example
   under the run's hidden physics: had j's outcome been the goal, trial i would have had the
   error e_i - e_j and needed dtheta = theta_j - theta_i.  dtheta = G e is fitted to these pairs
   and to the neighbours.  Pairs of near trials weigh up to 400 times an example, so close
   to the goal G is the run's own secant, as in Gauss-Newton with hindsight; the neighbours decide
   the directions in which the run has not moved yet.  With every trial that did not improve on
   the best one the data set loses weight and the step is limited to a smaller neighbourhood, so
   that wrong labels cannot hold the run up.

The constants were tuned on closed-form slides (test/toy.py) with seeds that no test uses.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from icpi_ros.improvers.base import Context, IndexedImprover, best
from icpi_ros.types import Array, Outcome, Proposal

NEIGHBOURS = 40
PENALTY = 0.03
BANDWIDTH = 0.5
"""Standard deviation of the Gaussian weights, as a share of the farthest neighbour's distance."""
PAIR_WEIGHT = 1.0
PAIR_SOFTENING = 0.05
"""Scaled distance below which pairs weigh the same; damps the noise of near pairs."""
PAIR_REACH = 0.3
"""Scaled theta distance from the best trial over which a pair loses its weight."""
DOUBT = 0.3
"""Factor on the weight of the data set, and on the step's limit, per trial since the best one."""
MAX_TRIALS = 20
"""Only the trials nearest to the best one make pairs, so that a long history stays cheap."""
REPEAT = 1e-4
"""Scaled distance below which two thetas are the same."""
MAX_STEP = 2.0
"""Longest scaled step: the range of one parameter."""
EXPLORE = 0.05
"""Scaled standard deviation of the step taken instead of a repeat, far from the goal; it shrinks
with the scaled error, so that a run that has arrived stays near."""


class Ridge(IndexedImprover):
    """Query-centred ridge on near examples and in-run pairs; see the module's text."""

    name: ClassVar[str] = "ridge"
    summary: ClassVar[str] = "local ridge on near examples and on all pairs of the run's trials"

    def __init__(self, context: Context) -> None:
        """Index the data set.

        Raises:
            InvalidValue: it has fewer than 20 examples.
        """
        super().__init__(context)
        self._neighbours = min(NEIGHBOURS, len(context.dataset))

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return best theta + fitted adjustment; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        base = best(history)
        step = self._local_step(base) if len(history) == 1 else self._secant_step(base, history)
        theta = base.theta + self._index.scale.unscale_dtheta(step)
        if not np.isfinite(theta).all() or self._tried(theta, history):
            theta = self._explore(base, rng)
        return Proposal(theta, self.name, latency=time.perf_counter() - start)

    def _neighbourhood(self, base: Outcome) -> tuple[Array, Array, Array, Array]:
        """Return scaled query ``(d+m,)``, examples ``(k, d+m)``, labels ``(k, d)``, weights."""
        scale = self._index.scale
        near = self._index.query(base.theta, base.error, self._neighbours)
        query = scale.point(base.theta, base.error)
        distances = self._index.distances(query, near)
        width = max(BANDWIDTH * float(distances[-1]), 1e-9)
        weights = np.exp(-0.5 * (distances / width) ** 2)
        labels = scale.dtheta(self.context.dataset.dtheta[near])
        return query, self._index.points[near], labels, weights

    def _local_step(self, base: Outcome) -> Array:
        """Return the scaled adjustment ``(d,)`` that the data set alone suggests."""
        query, points, labels, weights = self._neighbourhood(base)
        inputs = np.column_stack([np.ones(len(points)), points - query])
        penalty = np.full(inputs.shape[1], PENALTY)
        penalty[0] = 1e-9  # the intercept is the answer: it must not be shrunk
        return np.asarray(weighted_ridge(inputs, labels, weights, penalty)[0])

    def _secant_step(self, base: Outcome, history: Sequence[Outcome]) -> Array:
        """Return the scaled adjustment ``(d,)`` from neighbours and the run's own pairs."""
        _, points, labels, weights = self._neighbourhood(base)
        errors, steps, trust = self._pairs(base, history)
        failures = len(history) - 1 - next(n for n, o in enumerate(history) if o is base)
        inputs = np.vstack([points[:, self.context.space.dim :], errors])
        gain = weighted_ridge(
            inputs,
            np.vstack([labels, steps]),
            np.concatenate([DOUBT**failures * weights, trust]),
            np.full(inputs.shape[1], DOUBT**failures * PENALTY + 1e-9),
        )
        step = np.asarray(self._index.scale.error(base.error) @ gain)
        length, limit = float(np.linalg.norm(step)), MAX_STEP * DOUBT ** max(failures - 1, 0)
        return step * min(1.0, limit / max(length, 1e-12))

    def _pairs(self, base: Outcome, history: Sequence[Outcome]) -> tuple[Array, Array, Array]:
        """Return scaled errors ``(p, m)``, adjustments ``(p, d)`` and weights of in-run pairs."""
        scale = self._index.scale
        thetas = scale.theta(np.array([outcome.theta for outcome in history]))
        errors = scale.error(np.array([outcome.error for outcome in history]))
        away = np.linalg.norm(thetas - scale.theta(base.theta), axis=1)
        near = np.argsort(away, kind="stable")[:MAX_TRIALS]
        i, j = np.nonzero(~np.eye(len(near), dtype=bool))
        i, j = near[i], near[j]
        steps = thetas[j] - thetas[i]
        weights = PAIR_WEIGHT / (np.sum(steps**2, axis=1) + PAIR_SOFTENING**2)
        weights *= np.exp(-0.5 * (away[i] / PAIR_REACH) ** 2)
        return errors[i] - errors[j], steps, weights

    def _tried(self, theta: Array, history: Sequence[Outcome]) -> bool:
        """Tell whether ``theta``, projected into the space, was executed before."""
        space = self.context.space
        scaled = space.normalise(space.project(theta)[0])
        done = space.normalise(np.array([outcome.theta for outcome in history]))
        return bool(np.any(np.max(np.abs(done - scaled), axis=1) < REPEAT))

    def _explore(self, base: Outcome, rng: np.random.Generator) -> Array:
        """Return a small random step from the best trial, inside the space, instead of a repeat."""
        space = self.context.space
        left = float(np.linalg.norm(self._index.scale.error(base.error)))
        size = max(EXPLORE * min(left, 1.0), 2.0 * REPEAT)
        scaled = space.normalise(base.theta) + size * rng.standard_normal(space.dim)
        inward = np.where(np.abs(scaled) > 1.0, 2.0 * np.sign(scaled) - scaled, scaled)
        return space.denormalise(np.clip(inward, -1.0, 1.0))


def weighted_ridge(inputs: Array, targets: Array, weights: Array, penalty: Array) -> Array:
    """Return the coefficients ``(p, q)`` that minimise sum w |y - x C|^2 + sum penalty C^2.

    By least squares on stacked rows, not by normal equations, which lose half the digits.

    Args:
        inputs: ``(n, p)`` x.
        targets: ``(n, q)`` y.
        weights: ``(n,)`` w, not negative.
        penalty: ``(p,)`` positive.
    """
    root = np.sqrt(weights)[:, np.newaxis]
    rows = np.vstack([root * inputs, np.diag(np.sqrt(penalty))])
    zeros = np.zeros((len(penalty), targets.shape[1]))
    return np.asarray(np.linalg.lstsq(rows, np.vstack([root * targets, zeros]), rcond=None)[0])
