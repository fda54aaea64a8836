"""What was executed in a data set, under which hidden physics, seen from one run's goal."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array, Indices
from icpi_ros.learn.dataset.dataset import Dataset, trusted_labels


@dataclass(frozen=True)
class Executions:
    """Thetas and their outcomes; those of one draw differ in nothing else.

    A label counts as an execution that met its goal, unless it may be wrong.  Where errors are
    states minus goals they are taken to the run's goal; else examples of different goals belong
    to different draws.

    Attributes:
        points: ``(n, d)`` scaled thetas.
        errors: ``(n, m)`` [units of the error].
        draw: ``(n,)`` number of the draw, from 0.
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
        movable = dataset.error.shape[1] == len(goal)
        shift = dataset.goal - goal if movable else none
        apart = dataset.goal[:, :0] if movable else dataset.goal
        key = np.column_stack([dataset.group, apart])
        draw = np.unique(key, axis=0, return_inverse=True)[1].reshape(-1)
        errors = np.concatenate([dataset.error + shift, shift[good]])
        draw = np.concatenate([draw, draw[good]])
        # One solution may be the label of many examples, equal but for rounding.
        rows = np.column_stack([draw, points.round(9)])
        first = np.unique(rows, axis=0, return_index=True)[1]
        first = np.sort(first)
        return cls(points[first], errors[first], draw[first].astype(np.int64))

    def pairs(self, among: Indices) -> tuple[Indices, Indices]:
        """Return the indices i, j of all pairs of one draw ``among`` some of the executions."""
        i, j = np.triu_indices(len(among), 1)
        same = self.draw[among[i]] == self.draw[among[j]]
        return among[i[same]], among[j[same]]
