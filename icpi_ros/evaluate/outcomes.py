"""Outcome of a theta that was not executed, measured, bounded or estimated, and a ranking.

``measured``: the theta was executed in the recorded run; its cost for any goal is known from the
path that was seen.  ``estimated``: everything else.  There are two independent answers then: the
nearest executed theta with a bound by distance, and the in-context outcome model (the data set's
model conditioned on all trials of the run, as the improver ``embedded`` uses it) with
its standard deviation.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array, Trial
from icpi_ros.improvers.base import REPEAT
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.outcome.model import outcome_model
from icpi_ros.learn.outcome.posterior import Posterior
from icpi_ros.tasks.base import Task

DRAWS = 400
"""Joint draws of all outcomes of a run; the same ones for every improver."""
LEVEL = 0.9
"""Share of the draws inside an interval."""
RADIUS_FACTOR = 1.5
"""On the radius of the model's region, because the outcome of a contact is rougher than the model
takes it to be: set so that about the stated share of true costs lies inside (docs/replay.md)."""
MAX_TRIALS = 60
"""Trials that the model is conditioned on: the cheapest for the goal."""
NAN = float("nan")
MEASURED, ESTIMATED = "measured", "estimated"


@dataclass(frozen=True)
class NearestTrial:
    """The nearest executed theta.

    Attributes:
        trial: its number.
        distance: scaled to [-1, 1] per parameter, Euclidean.
        cost: measured, for the goal in question [m].
        low, high: the cost lies here if outcomes change with theta nowhere faster than between
            the two recorded trials between which they change fastest [m]; NaN = fewer than two.
    """

    trial: int
    distance: float
    cost: float
    low: float
    high: float


@dataclass(frozen=True)
class OutcomeEstimate:
    """Expected cost of a theta.

    Attributes:
        kind: ``measured`` or ``estimated``.
        cost: measured, or the model's mean, or without a model that of the nearest trial [m].
        low, high: costs of the errors in the region that holds the true one with probability
            :data:`LEVEL` according to the model, or the bound of the nearest trial [m].
        basis: ``executed``, ``outcome model`` or ``nearest trial``.
        nearest: the nearest executed trial.
        draws: ``(DRAWS,)`` of the cost [m]; all equal if it was measured.
    """

    kind: str
    cost: float
    low: float
    high: float
    basis: str
    nearest: NearestTrial
    draws: Array


class OutcomeEstimator:
    """Estimator of the outcomes of one run under one physics.

    Args:
        task: of the run.
        executed: at least one trial.
        dataset: examples that the model learns from; None or empty = no model.
        seed: of the draws.
    """

    def __init__(
        self, task: Task, executed: Sequence[Trial], dataset: Dataset | None, seed: int = 0
    ) -> None:
        """Scale the thetas; the model is fitted at the first call."""
        self._task, self._executed = task, executed
        self._scaled = task.space.normalise(np.array([trial.theta for trial in executed]))
        self._dataset = dataset if dataset is not None and len(dataset) else None
        shape = (DRAWS, len(np.flatnonzero(task.cost_mask)))
        self._normal = np.random.default_rng([seed, DRAWS]).standard_normal(shape)

    def errors(self, goal: Array) -> Array:
        """Return the measured errors ``(n, m)`` [m] of the executed thetas for a goal ``(g,)``."""
        return np.array([self._task.error(trial.path, goal) for trial in self._executed])

    def costs(self, errors: Array) -> Array:
        """Return costs ``(n,)`` [m] of errors ``(n, m)`` [m]."""
        return np.array([self._task.cost(error) for error in errors])

    def estimate(self, goal: Array, thetas: Sequence[Array]) -> list[OutcomeEstimate]:
        """Return the expected costs of thetas ``(k, d)`` for one goal ``(g,)``."""
        if not len(thetas):
            return []
        errors = self.errors(goal)
        costs = self.costs(errors)
        points = np.clip(self._task.space.normalise(np.array(thetas)), -1.0, 1.0)
        steepest = self._steepest(errors)
        nearest = [self._nearest(point, costs, steepest) for point in points]
        unknown = np.array([near.distance >= REPEAT for near in nearest])
        predicted = self._predict(goal, errors, costs, points) if unknown.any() else None
        found = []
        for k, near in enumerate(nearest):
            if not unknown[k]:
                found.append(_measured(near))
            else:
                found.append(_bounded(near) if predicted is None else predicted.of(k, near))
        return found

    def _nearest(self, point: Array, costs: Array, steepest: float) -> NearestTrial:
        distances = np.linalg.norm(self._scaled - point, axis=1)
        k = int(np.argmin(distances))
        distance, cost = float(distances[k]), float(costs[k])
        reach = steepest * distance
        low = max(0.0, cost - reach) if np.isfinite(reach) else NAN
        return NearestTrial(self._executed[k].number, distance, cost, low, cost + reach)

    def _steepest(self, errors: Array) -> float:
        """Return the largest change of the error per scaled distance [m]; NaN if unknown."""
        counted = errors * self._task.cost_mask
        moved = np.linalg.norm(self._scaled[:, np.newaxis] - self._scaled, axis=2)
        changed = np.linalg.norm(counted[:, np.newaxis] - counted, axis=2)
        apart = moved > REPEAT
        return float((changed[apart] / moved[apart]).max()) if apart.any() else NAN

    def _predict(
        self, goal: Array, errors: Array, costs: Array, points: Array
    ) -> _ModelPrediction | None:
        """Return the model's prediction for scaled points ``(k, d)``; None without a model."""
        if self._dataset is None:
            return None
        model = outcome_model(self._dataset, self._task.space, self._task.cost_mask)
        used = np.argsort(costs, kind="stable")[:MAX_TRIALS]
        posterior = Posterior.of(model, self._scaled[used], errors[used], goal)
        mean, variance = posterior.predict(points, model.predict(model.inputs(points, goal)))
        mean = (mean + model.offset(goal)) * model.unit
        std = np.sqrt(variance + posterior.noise**2) * model.unit
        return _ModelPrediction(mean, std * self._normal[:, np.newaxis])


@dataclass(frozen=True)
class _ModelPrediction:
    """Predicted errors of points [m]: ``mean`` ``(k, m)``, ``off`` ``(DRAWS, k, m)`` draws from it.

    One normal vector serves all points: their errors are taken as correlated, which is cautious.
    """

    mean: Array
    off: Array

    def of(self, k: int, nearest: NearestTrial) -> OutcomeEstimate:
        """Return the estimate for point ``k``."""
        draws = np.linalg.norm(self.mean[k] + self.off[:, k], axis=1)
        centre = float(np.linalg.norm(self.mean[k]))
        radius = RADIUS_FACTOR * float(np.quantile(np.linalg.norm(self.off[:, k], axis=1), LEVEL))
        span = max(0.0, centre - radius), centre + radius
        return OutcomeEstimate(
            ESTIMATED, float(draws.mean()), *span, "outcome model", nearest, draws
        )


def _measured(nearest: NearestTrial) -> OutcomeEstimate:
    cost = nearest.cost
    return OutcomeEstimate(MEASURED, cost, cost, cost, "executed", nearest, np.full(DRAWS, cost))


def _bounded(nearest: NearestTrial) -> OutcomeEstimate:
    cost, span = nearest.cost, (nearest.low, nearest.high)
    return OutcomeEstimate(ESTIMATED, cost, *span, "nearest trial", nearest, np.full(DRAWS, cost))


def interval(draws: Array) -> tuple[float, float]:
    """Return the interval that holds :data:`LEVEL` of draws ``(n,)``."""
    low, high = np.quantile(draws, [0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL])
    return float(low), float(high)


@dataclass(frozen=True)
class RankedImprover:
    """One improver in the ranking.

    Attributes:
        improver: name.
        cost: expected cost of its next trial, mean over the instances [m].
        low, high: 90 % interval: other instances of this kind, and doubt about the outcomes [m].
        instances: how many.
        measured: how many of its proposals were executed in the recording.
        best: share of the draws in which it is the best of all.
    """

    improver: str
    cost: float
    low: float
    high: float
    instances: int
    measured: int
    best: float


def rank(estimates: Mapping[str, Sequence[OutcomeEstimate]], seed: int = 0) -> list[RankedImprover]:
    """Return improvers from the best on.

    Args:
        estimates: by improver; the n-th of each is about the same instance.
        seed: of the resampling of instances.
    """
    names = [name for name, found in estimates.items() if found]
    if not names:
        return []
    draws = np.array([[e.draws for e in estimates[name]] for name in names])  # (i, n, DRAWS)
    means = _resampled(draws, np.random.default_rng([seed, len(names)]))
    first = np.argmin(means, axis=0)
    places = []
    for k, name in enumerate(names):
        found = estimates[name]
        low, high = interval(means[k])
        places.append(
            RankedImprover(
                improver=name,
                cost=float(np.mean([e.cost for e in found])),
                low=low,
                high=high,
                instances=len(found),
                measured=sum(e.kind == MEASURED for e in found),
                best=float(np.mean(first == k)),
            )
        )
    return sorted(places, key=lambda place: place.cost)


def _resampled(draws: Array, rng: np.random.Generator) -> Array:
    """Return means ``(i, DRAWS)`` over instances drawn with replacement, the same for all."""
    count = draws.shape[1]
    chosen = rng.integers(count, size=(count, DRAWS))
    picked = np.take_along_axis(draws, chosen[np.newaxis].repeat(len(draws), axis=0), axis=1)
    return np.asarray(picked.mean(axis=1))
