"""Search for the theta after which the best cost of a run is expected to be lowest.

Expected improvement (Mockus 1975) of a belief about the error vector, among quasi-random
candidates, labels and Gauss-Newton steps, then refined: the planning of DICP (arXiv 2502.19009)
with a closed-form model in place of a transformer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.outcome.belief import OutcomeBelief

SOBOL_CANDIDATES = 256
"""Quasi-random candidates over the whole box."""
MAX_LABELS = 256
RADII = (0.15, 0.04, 0.01)
"""Scaled standard deviation of the random candidates of each refinement."""
RANDOM_CANDIDATES = 32
"""Of each refinement, around the best one so far."""
KEPT_CANDIDATES = 3
"""Candidates that go into the next refinement, each with a Gauss-Newton step of its own."""
NEWTON_REACH = 0.3
NEWTON_OFFSET = 1e-3
"""Scaled half-width of the central differences of the predicted error."""
MIN_SLOPE = 1e-2
"""Singular values of the slope below this share of the largest are not inverted."""
PREDICTION_DRAWS = 256
PLANNING_DRAWS = 64
MEAN_SHARE = 1e-3
"""Weight of the plain expected cost: decides where no candidate promises an improvement."""


def candidates(dataset: Dataset, space: ParameterSpace) -> Array:
    """Return scaled thetas ``(c, d)``: quasi-random ones and the data set's labels."""
    from scipy.stats import qmc

    sobol = qmc.Sobol(space.dim, rng=np.random.default_rng(0)).random(SOBOL_CANDIDATES)
    labels = np.unique(space.normalise(dataset.theta + dataset.dtheta).round(6), axis=0)
    every = max(1, -(-len(labels) // MAX_LABELS))
    found = np.concatenate([2.0 * sobol - 1.0, labels[::every]])
    return np.asarray(np.clip(found, -1.0, 1.0))


def normal_draws(dim: int) -> Array:
    """Return PLANNING_DRAWS quasi-random standard normal samples ``(n, dim)``, always the same."""
    from scipy.stats import norm, qmc

    uniform = qmc.Sobol(dim, rng=np.random.default_rng(1)).random(PLANNING_DRAWS)
    return np.asarray(norm.ppf(0.999 * uniform + 0.0005))


@dataclass(frozen=True)
class Search:
    """Search under one belief.

    Attributes:
        belief: about the run.
        draws: ``(n, m)`` standard normal samples that expectations are taken over.
    """

    belief: OutcomeBelief
    draws: Array

    def run(self, points: Array, base: Array, lowest: float, rng: np.random.Generator) -> Array:
        """Return the scaled theta ``(d,)`` that promises most.

        Args:
            points: ``(c, d)`` first candidates.
            base: ``(d,)`` the best trial so far.
            lowest: its cost [m].
            rng: of the refinements.
        """
        found = self.promise(points, lowest)
        order = np.argsort(found, kind="stable")[: KEPT_CANDIDATES - 1]
        kept = np.concatenate([points[order], np.clip(base, -1.0, 1.0)[np.newaxis]])
        for radius in RADII:
            around = kept[0] + radius * rng.standard_normal((RANDOM_CANDIDATES, len(base)))
            stepped = self._newton(kept)
            near = np.clip(np.concatenate([kept, stepped, around]), -1.0, 1.0)
            costs = self.promise(near, lowest)
            kept = near[np.argsort(costs, kind="stable")[:KEPT_CANDIDATES]]
        return np.asarray(kept[0])

    def promise(self, points: Array, lowest: float) -> Array:
        """Return the run's expected best cost ``(n,)`` [m] after trying scaled thetas ``(n, d)``.

        The mean over fixed draws of min(cost, lowest); low is good.
        """
        mean, variance = self.belief.predict(points)
        squares = np.zeros((len(points), len(self.draws)))
        for k, unit in enumerate(self.belief.unit):
            noise = np.sqrt(variance[:, k : k + 1]) * self.draws[:, k]
            squares += (unit * (mean[:, k : k + 1] + noise)) ** 2
        costs = np.sqrt(squares)
        best_so_far = np.minimum(costs, lowest).mean(axis=1)
        return np.asarray(best_so_far + MEAN_SHARE * costs.mean(axis=1))

    def _newton(self, points: Array) -> Array:
        """Return scaled thetas ``(n, d)`` one Gauss-Newton step on from ``points``."""
        n, d = points.shape
        shifts = NEWTON_OFFSET * np.concatenate([np.zeros((1, d)), np.eye(d), -np.eye(d)])
        probes = (points[:, np.newaxis] + shifts).reshape(-1, d)
        means = self.belief.predict(probes)[0]
        values = (means * self.belief.unit).reshape(n, 2 * d + 1, -1)
        slopes = (values[:, 1 : d + 1] - values[:, d + 1 :]) / (2.0 * NEWTON_OFFSET)
        inverse = np.linalg.pinv(slopes, rcond=MIN_SLOPE)
        steps = -np.einsum("nm,nmd->nd", values[:, 0], inverse)
        length = np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-12)
        return np.asarray(points + steps * np.minimum(1.0, NEWTON_REACH / length))


def forecast(belief: OutcomeBelief, points: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation ``(n,)`` [m] of the costs of scaled thetas ``(n, d)``."""
    mean, variance = belief.predict(points)
    std = np.sqrt(variance + belief.noise**2)
    draws = np.random.default_rng(0).standard_normal((PREDICTION_DRAWS, 1, mean.shape[1]))
    costs = np.linalg.norm((mean + std * draws) * belief.unit, axis=2)
    return costs.mean(axis=0), costs.std(axis=0)
