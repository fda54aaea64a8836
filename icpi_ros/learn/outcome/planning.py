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
from icpi_ros.learn.quasi_random import normal_quantiles, sobol

SOBOL_CANDIDATES = 256
"""Quasi-random candidates over the whole box."""
MAX_LABELS = 256
RADII = (0.15, 0.04, 0.01)
"""Scaled standard deviation of the random candidates of each refinement."""
RANDOM_CANDIDATES = 16
"""Of each refinement, around every candidate that is kept."""
KEPT_CANDIDATES = 6
"""Candidates that are refined, each for itself, beside the best trial."""
APART = 0.3
"""Least scaled distance between two of them at first, so that not all are in one valley."""
OUTLOOK_SHARE = 0.5
"""Weight of what the refined candidates promise one trial later; of one trial alone a search
that stands in a valley whose floor is above zero, as at a corner of the box, never leaves it."""
LEFT_SHARE = 0.25
"""Share of an error that a Gauss-Newton step leaves of what it was to remove."""
NEWTON_REACH = 0.3
NEWTON_OFFSET = 1e-3
"""Scaled half-width of the central differences of the predicted error."""
MIN_SLOPE = 1e-2
"""Singular values of the slope below this share of the largest are not inverted."""
SIDESTEP = 0.2
"""Scaled length by which the second trial leaves the line through the first."""
PLANNING_DRAWS = 64
MEAN_SHARE = 1e-3
"""Weight of the plain expected cost: decides where no candidate promises an improvement."""


def candidates(dataset: Dataset, space: ParameterSpace) -> Array:
    """Return scaled thetas ``(c, d)``: quasi-random ones and the data set's labels."""
    spread = sobol(space.dim, SOBOL_CANDIDATES, seed=0)
    labels = np.unique(space.normalise(dataset.theta + dataset.dtheta).round(6), axis=0)
    every = max(1, -(-len(labels) // MAX_LABELS))
    found = np.concatenate([2.0 * spread - 1.0, labels[::every]])
    return np.asarray(np.clip(found, -1.0, 1.0))


def normal_draws(dim: int) -> Array:
    """Return PLANNING_DRAWS quasi-random standard normal samples ``(n, dim)``, always the same."""
    return normal_quantiles(0.999 * sobol(dim, PLANNING_DRAWS, seed=1) + 0.0005)


@dataclass(frozen=True)
class Search:
    """Search under one belief.

    Attributes:
        belief: about the run.
        draws: ``(n, m)`` standard normal samples that expectations are taken over.
        others: beliefs that are as possible: what a theta promises is the mean over all.
        held: ``(h,)`` values of the last parameters, which are not changed yet; None = none is.
        far: whether to count what a theta promises one trial later, too.
    """

    belief: OutcomeBelief
    draws: Array
    others: tuple[OutcomeBelief, ...] = ()
    held: Array | None = None
    far: bool = False

    def run(self, points: Array, base: Array, lowest: float, rng: np.random.Generator) -> Array:
        """Return the scaled theta ``(d,)`` that promises most.

        Args:
            points: ``(c, d)`` first candidates.
            base: ``(d,)`` the best trial so far.
            lowest: its cost [m].
            rng: of the refinements.
        """
        points = self._held(points)
        first = apart(points, self.promise(points, lowest))
        kept = np.concatenate([np.clip(base, -1.0, 1.0)[np.newaxis], first])
        costs = np.zeros(len(kept))
        for radius in RADII:
            kept, costs = self._refined(kept, radius, lowest, rng)
        if self.far:
            costs = costs + OUTLOOK_SHARE * (self.outlook(kept, lowest) - costs)
        return np.asarray(kept[int(np.argmin(costs))])

    def _refined(
        self, kept: Array, radius: float, lowest: float, rng: np.random.Generator
    ) -> tuple[Array, Array]:
        """Return the best thetas ``(k, d)`` near each of ``kept``, and what they promise."""
        k, d = kept.shape
        noise = radius * rng.standard_normal((k, RANDOM_CANDIDATES, d))
        around = np.clip(kept[:, np.newaxis] + noise, -1.0, 1.0)
        near = np.concatenate([np.stack([kept, self._newton(kept)], axis=1), around], axis=1)
        near = self._held(near.reshape(-1, d))
        values = self.promise(near, lowest).reshape(k, -1)
        best = np.argmin(values, axis=1)
        rows = np.arange(k)
        return near.reshape(k, -1, d)[rows, best], values[rows, best]

    def outlook(self, points: Array, lowest: float) -> Array:
        """Return the run's expected best cost ``(n,)`` [m] after ``points`` and one more trial.

        That trial is a Gauss-Newton step inside the box, of whose way to the goal it leaves
        LEFT_SHARE; what no step inside the box can remove stays.
        """
        values, slopes = self._slopes(points)
        spread = np.sqrt(self.belief.predict(points)[1])[:, np.newaxis] * self.draws
        n, draws = spread.shape[:2]
        errors = (values[:, np.newaxis] + spread * self.belief.unit).reshape(n * draws, -1)
        slopes = np.repeat(slopes, draws, axis=0)
        steps = _short(inside(np.repeat(points, draws, axis=0), errors, slopes))
        costs = np.linalg.norm(errors, axis=1)
        floor = np.linalg.norm(errors + np.einsum("nd,ndm->nm", steps, slopes), axis=1)
        after = floor + LEFT_SHARE * np.maximum(costs - floor, 0.0)
        best = np.minimum(np.minimum(costs, after), lowest)
        return np.asarray(best.reshape(n, draws).mean(axis=1))

    def _held(self, points: Array) -> Array:
        """Return points with the held parameters in place."""
        if self.held is None:
            return points
        free = points[:, : points.shape[1] - len(self.held)]
        return np.concatenate([free, np.tile(self.held, (len(points), 1))], axis=1)

    def promise(self, points: Array, lowest: float) -> Array:
        """Return the run's expected best cost ``(n,)`` [m] after trying scaled thetas ``(n, d)``.

        The mean over fixed draws of min(cost, lowest); low is good.
        """
        beliefs = (self.belief, *self.others)
        promised = [self._promise(belief, points, lowest) for belief in beliefs]
        return np.asarray(np.mean(promised, axis=0))

    def _promise(self, belief: OutcomeBelief, points: Array, lowest: float) -> Array:
        mean, variance = belief.predict(points)
        squares = np.zeros((len(points), len(self.draws)))
        for k, unit in enumerate(belief.unit):
            noise = np.sqrt(variance[:, k : k + 1]) * self.draws[:, k]
            squares += (unit * (mean[:, k : k + 1] + noise)) ** 2
        costs = np.sqrt(squares)
        best_so_far = np.minimum(costs, lowest).mean(axis=1)
        return np.asarray(best_so_far + MEAN_SHARE * costs.mean(axis=1))

    def _newton(self, points: Array) -> Array:
        """Return scaled thetas ``(n, d)`` one Gauss-Newton step inside the box further on."""
        return points + _short(inside(points, *self._slopes(points)))

    def _slopes(self, points: Array) -> tuple[Array, Array]:
        """Return the predicted errors ``(n, m)`` [m] and their slopes ``(n, d, m)``."""
        n, d = points.shape
        shifts = NEWTON_OFFSET * np.concatenate([np.zeros((1, d)), np.eye(d), -np.eye(d)])
        probes = (points[:, np.newaxis] + shifts).reshape(-1, d)
        means = self.belief.predict(probes)[0]
        values = (means * self.belief.unit).reshape(n, 2 * d + 1, -1)
        return values[:, 0], (values[:, 1 : d + 1] - values[:, d + 1 :]) / (2.0 * NEWTON_OFFSET)


def _short(steps: Array) -> Array:
    """Return steps ``(n, d)`` that are no longer than NEWTON_REACH."""
    length = np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-12)
    return np.asarray(steps * np.minimum(1.0, NEWTON_REACH / length))


def inside(points: Array, values: Array, slopes: Array) -> Array:
    """Return the Gauss-Newton steps ``(n, d)`` to zero that stay inside [-1, 1].

    A parameter that would leave the box stops at its edge, and the others make up for it.

    Args:
        points: ``(n, d)`` scaled thetas.
        values: ``(n, m)`` to be made zero.
        slopes: ``(n, d, m)`` of the values.
    """
    steps = np.zeros_like(points)
    free = np.ones(points.shape, dtype=np.bool_)
    for _ in range(points.shape[1]):
        stopped = np.where(free, 0.0, steps)
        rest = values + np.einsum("nd,ndm->nm", stopped, slopes)
        inverse = np.linalg.pinv(slopes * free[:, :, np.newaxis], rcond=MIN_SLOPE)
        wanted = stopped - np.einsum("nm,nmd->nd", rest, inverse)
        steps = np.clip(points + wanted, -1.0, 1.0) - points
        beyond = free & (steps != wanted) & (np.abs(points + wanted) > 1.0)
        if not beyond.any():
            break
        free &= ~beyond
    return steps


def apart(points: Array, costs: Array) -> Array:
    """Return the points ``(k, d)`` of lowest cost, of which no two are within APART."""
    chosen: list[int] = []
    near = np.zeros(len(points), dtype=np.bool_)
    for index in np.argsort(costs, kind="stable"):
        if near[index]:
            continue
        chosen.append(int(index))
        if len(chosen) == KEPT_CANDIDATES:
            break
        near |= np.sum((points - points[index]) ** 2, axis=1) < APART**2
    return points[chosen]


def off_the_line(scaled: Array, first: Array, rng: np.random.Generator) -> Array:
    """Return a second theta ``(d,)`` moved sideways from the line through the first trial.

    Two trials on a line along one parameter leave the effect of the others to be guessed.  The
    way is random, at right angles to the step, SIDESTEP long, and to the side that has room.
    """
    step = scaled - first
    along = step / max(float(np.linalg.norm(step)), 1e-9)
    across = rng.standard_normal(len(scaled))
    across -= along * (along @ across)
    size = float(np.linalg.norm(across))
    if size < 1e-6:  # one parameter has no other direction
        return scaled
    sides = np.array([1.0, -1.0])[:, np.newaxis] * across * (SIDESTEP / size)
    moved = np.clip(scaled + sides, -1.0, 1.0)
    lost = np.abs(scaled + sides - moved).sum(axis=1)
    return np.asarray(moved[int(np.argmin(lost))])


def farthest(points: Array, tried: Array) -> Array:
    """Return the point ``(d,)`` of ``(c, d)`` that is farthest from all of ``tried`` ``(n, d)``."""
    gaps = np.sum((points[:, np.newaxis] - tried) ** 2, axis=2)
    return np.asarray(points[int(np.argmax(gaps.min(axis=1)))])
