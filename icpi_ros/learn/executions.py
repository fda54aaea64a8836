"""Executions in a data set as one run sees them, and the physics samples that resemble the run.

The examples of one physics sample share their hidden physics, so a Gaussian process over theta
models the error under it from few of them.  Samples that explain the run's outcomes well resemble
its physics.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array, Indices
from icpi_ros.learn.dataset.dataset import Dataset, trusted_labels
from icpi_ros.learn.regression import ordered_pairs


@dataclass(frozen=True)
class Executions:
    """Thetas and their outcomes; those of one physics sample differ in nothing else.

    A label counts as an execution that met its goal, unless it may be wrong.  Where errors are
    states minus goals they are taken to the run's goal; else examples of different goals belong
    to different samples.

    Attributes:
        points: ``(n, d)`` scaled thetas.
        errors: ``(n, m)`` [units of the error].
        draw: ``(n,)`` number of the physics sample, from 0.
    """

    points: Array
    errors: Array
    draw: Indices

    @classmethod
    def of(cls, dataset: Dataset, space: ParameterSpace, goal: Array) -> Executions:
        """Return the executions of a data set for a run with ``goal`` ``(g,)``."""
        good = trusted_labels(dataset)
        thetas = np.concatenate([dataset.theta, (dataset.theta + dataset.dtheta)[good]])
        points = np.clip(space.normalise(thetas), -1.0, 1.0)
        none = np.zeros_like(dataset.error)
        shift = dataset.goal - goal if _movable(dataset, goal) else none
        draw = draws(dataset, goal)
        errors = np.concatenate([dataset.error + shift, shift[good]])
        draw = np.concatenate([draw, draw[good]])
        # One solution may be the label of many examples, equal but for rounding.
        rows = np.column_stack([draw, points.round(9)])
        first = np.unique(rows, axis=0, return_index=True)[1]
        first = np.sort(first)
        return cls(points[first], errors[first], draw[first].astype(np.int64))

    def pairs(self, among: Indices) -> tuple[Indices, Indices]:
        """Return the indices i, j of all pairs of one sample ``among`` some of the executions."""
        i, j = np.triu_indices(len(among), 1)
        same = self.draw[among[i]] == self.draw[among[j]]
        return among[i[same]], among[j[same]]


def draws(dataset: Dataset, goal: Array) -> Indices:
    """Return the number ``(N,)`` of each example's physics sample, for a run with ``goal``."""
    apart = dataset.goal[:, :0] if _movable(dataset, goal) else dataset.goal
    group = np.unique(dataset.group, return_inverse=True)[1]  # float64 holds no stamps [ns]
    key = np.column_stack([group, apart])
    return np.asarray(np.unique(key, axis=0, return_inverse=True)[1].reshape(-1), dtype=np.int64)


def _movable(dataset: Dataset, goal: Array) -> bool:
    """Return whether errors are states minus goals, and can be taken to another goal."""
    return bool(dataset.error.shape[1] == len(goal))


MAX_STEPS = 20_000
"""Most pairs of executions that are returned, evenly chosen."""


def steps(done: Executions) -> tuple[Indices, Indices]:
    """Return from where to where: pairs ``(n,)`` of executions of one sample, both ways."""
    found = [np.empty((2, 0), dtype=np.int64)]
    for number in np.unique(done.draw):
        members = np.flatnonzero(done.draw == number)
        i, j = ordered_pairs(len(members))
        found.append(np.stack([members[i], members[j]]))
    pairs = np.concatenate(found, axis=1)
    every = max(1, -(-pairs.shape[1] // MAX_STEPS))
    return pairs[0, ::every], pairs[1, ::every]


LENGTH = 1.2
"""Scaled length of the squared-exponential part of the kernel."""
LINEAR = 0.2
"""Variance of its linear part."""
NOISE = 3e-3
"""Variance of scaled errors that the model does not explain (findings, section 9: all three)."""
MISMATCH = 0.05
"""Standard deviation of scaled errors between samples that resemble each other."""


MAX_EXECUTIONS = 200
"""Most executions of one physics sample: more would cost memory and time for little."""


@dataclass(frozen=True)
class PhysicsSample:
    """Physics sample: executions under one physics, from its examples and their labels.

    Attributes:
        points: ``(n, d)`` scaled thetas.
        errors: ``(n, m)`` errors to the run's goal, over ``rms``.
        factor: ``(n, n)`` Cholesky factor of the kernel matrix.
    """

    points: Array
    errors: Array
    factor: Array

    @functools.cached_property
    def _white_errors(self) -> Array:
        """``(n, m)``, the same for all that is explained."""
        return np.asarray(np.linalg.solve(self.factor, self.errors))

    def evidence(self, points: Array, errors: Array) -> float:
        """Return the log density of other executions ``(k, d)``, ``(k, m)`` under this sample."""
        cross = _kernel(points, self.points)
        white = np.linalg.solve(self.factor, cross.T)
        mean = white.T @ self._white_errors
        own = 1.0 + LINEAR * (1.0 + np.sum(points**2, axis=1))
        variance = np.maximum(own - np.sum(white**2, axis=0), 0.0) + NOISE + MISMATCH**2
        density = np.sum((errors - mean) ** 2, axis=1) / variance
        return float(-0.5 * np.sum(density + errors.shape[1] * np.log(variance)))


class PhysicsSamples:
    """The physics samples of a run's data set."""

    def __init__(self, dataset: Dataset, space: ParameterSpace, goal: Array, mask: Array) -> None:
        """Model every sample for a run with ``goal`` ``(g,)`` and cost mask ``(m,)``."""
        rms = np.sqrt(np.mean(np.square(dataset.error), axis=0))
        self._rms = np.where(rms > 0.0, rms, 1.0)
        self._space, self._mask = space, mask
        done = Executions.of(dataset, space, goal)
        members = [np.flatnonzero(done.draw == n)[:MAX_EXECUTIONS] for n in np.unique(done.draw)]
        self._draws = [_model(done.points[m], done.errors[m] / self._rms) for m in members]

    def alike(self, thetas: Array, errors: Array, count: int) -> list[tuple[Array, Array, float]]:
        """Return the ``count`` samples that explain executions best, the best one first.

        Args:
            thetas: ``(k, d)`` executed in the run.
            errors: ``(k, m)`` of them.
            count: of samples; fewer if there are not so many.

        Returns:
            Scaled thetas ``(n, d)``, their costs ``(n,)`` [m] to the run's goal, and how likely
            the sample is compared with the best one, 0 to 1.
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


def _model(points: Array, errors: Array) -> PhysicsSample:
    covariance = _kernel(points, points) + NOISE * np.eye(len(points))
    return PhysicsSample(points, errors, np.asarray(np.linalg.cholesky(covariance), np.float64))


def _kernel(a: Array, b: Array) -> Array:
    squared = np.sum((a[:, np.newaxis] - b) ** 2, axis=-1)
    return np.asarray(np.exp(-0.5 * squared / LENGTH**2) + LINEAR * (1.0 + a @ b.T))
