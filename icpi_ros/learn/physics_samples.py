"""Which physics draws of a data set look like the run, and what they say about its cost.

The examples of one draw share their hidden physics, so a Gaussian process over theta models the
error under it from few of them.  Draws that explain the run's outcomes well look alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.executions import Executions

LENGTH = 1.2
"""Scaled length of the squared-exponential part of the kernel."""
LINEAR = 0.2
"""Variance of its linear part."""
NOISE = 3e-3
"""Variance of scaled errors that the model does not explain (findings, section 9: all three)."""
MISMATCH = 0.05
"""Standard deviation of scaled errors between draws that look alike."""


MAX_EXECUTIONS = 200
"""Of one draw; more would cost memory and time without telling much."""


@dataclass(frozen=True)
class Draw:
    """Executions under one physics, from its examples and their labels.

    Attributes:
        points: ``(n, d)`` scaled thetas.
        errors: ``(n, m)`` errors to the run's goal, over ``rms``.
        factor: ``(n, n)`` Cholesky factor of the kernel matrix.
    """

    points: Array
    errors: Array
    factor: Array

    def evidence(self, points: Array, errors: Array) -> float:
        """Return the log density of other executions ``(k, d)``, ``(k, m)`` under this draw."""
        cross = _kernel(points, self.points)
        white = np.linalg.solve(self.factor, cross.T)
        mean = white.T @ np.linalg.solve(self.factor, self.errors)
        own = 1.0 + LINEAR * (1.0 + np.sum(points**2, axis=1))
        variance = np.maximum(own - np.sum(white**2, axis=0), 0.0) + NOISE + MISMATCH**2
        density = np.sum((errors - mean) ** 2, axis=1) / variance
        return float(-0.5 * np.sum(density + errors.shape[1] * np.log(variance)))


class Draws:
    """The physics draws of a run's data set."""

    def __init__(self, dataset: Dataset, space: ParameterSpace, goal: Array, mask: Array) -> None:
        """Model every draw for a run with ``goal`` ``(g,)`` and cost mask ``(m,)``."""
        rms = np.sqrt(np.mean(np.square(dataset.error), axis=0))
        self._rms = np.where(rms > 0.0, rms, 1.0)
        self._space, self._mask = space, mask
        done = Executions.of(dataset, space, goal)
        members = [np.flatnonzero(done.draw == n)[:MAX_EXECUTIONS] for n in np.unique(done.draw)]
        self._draws = [_model(done.points[m], done.errors[m] / self._rms) for m in members]

    def alike(self, thetas: Array, errors: Array, count: int) -> list[tuple[Array, Array, float]]:
        """Return the ``count`` draws that explain executions best, the best one first.

        Args:
            thetas: ``(k, d)`` executed in the run.
            errors: ``(k, m)`` of them.
            count: draws; fewer if there are not so many.

        Returns:
            Scaled thetas ``(n, d)``, their costs ``(n,)`` [m] to the run's goal, and how likely
            the draw is compared with the best one, 0 to 1.
        """
        points, scaled = self._space.normalise(thetas), errors / self._rms
        evidence = np.array([draw.evidence(points, scaled) for draw in self._draws])
        best = np.argsort(-evidence, kind="stable")[:count]
        return [
            (self._draws[n].points, self._costs(n), float(np.exp(evidence[n] - evidence[best[0]])))
            for n in best
        ]

    def _costs(self, number: int) -> Array:
        errors = self._draws[number].errors * self._rms * self._mask
        return np.asarray(np.linalg.norm(errors, axis=1))


def _model(points: Array, errors: Array) -> Draw:
    covariance = _kernel(points, points) + NOISE * np.eye(len(points))
    return Draw(points, errors, np.asarray(np.linalg.cholesky(covariance), np.float64))


def _kernel(a: Array, b: Array) -> Array:
    squared = np.sum((a[:, np.newaxis] - b) ** 2, axis=-1)
    return np.asarray(np.exp(-0.5 * squared / LENGTH**2) + LINEAR * (1.0 + a @ b.T))
