"""Rows of a data set, scaled, and the frame in which they are scaled."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array, Indices
from icpi_ros.learn.dataset.dataset import Dataset, trusted_labels
from icpi_ros.learn.outcome.fitting.fit import Rows
from icpi_ros.learn.retrieval import Scale

MAX_ROWS = 600
"""The fit takes time cubic in the rows; of larger data sets a part is used."""
MIN_ROWS = 10
"""Rows per physics sample; where there are too many samples, some are left out."""
VARIES = 0.05
"""A goal coordinate varies if its standard deviation is above this share of the error's RMS."""


@dataclass(frozen=True)
class RowFrame:
    """Scale of theta, goals and errors; ``m`` errors that count.

    Attributes:
        scale: of theta and errors.
        counted: ``(m,)`` indices of the error dimensions that count in the cost.
        goal_mean: ``(g,)`` mean goal of the data set.
        goal_scale: ``(g,)`` its standard deviation; 0 = the coordinate is no input.
        shifts: ``(g,)`` bool: the error is taken to be a position minus this coordinate.
    """

    scale: Scale
    counted: Indices
    goal_mean: Array
    goal_scale: Array
    shifts: NDArray[np.bool_]

    @classmethod
    def of(cls, dataset: Dataset, space: ParameterSpace, mask: Array) -> RowFrame:
        """Return the frame of a data set; ``mask`` ``(m,)`` of the errors that count."""
        scale = Scale.of(dataset, space, mask)
        std = goal_spread(dataset.goal, scale.rms)
        median = np.median(dataset.goal, axis=0)  # exact if all are equal
        mean = np.where(std > 0.0, dataset.goal.mean(axis=0), median)
        return cls(scale, counted(mask), mean, std, std == 0.0)

    def inputs(self, scaled: Array, goal: Array) -> Array:
        """Return model inputs ``(n, x)`` of thetas ``(n, d)`` in [-1, 1] and one goal ``(g,)``."""
        varies = self.goal_scale > 0.0
        if not varies.any():
            return scaled
        offset = (goal - self.goal_mean)[varies] / self.goal_scale[varies]
        return np.concatenate([scaled, np.tile(offset, (len(scaled), 1))], axis=1)

    def offset(self, goal: Array) -> Array:
        """Return ``(m,)``: scaled error minus this is what the model describes.

        Zero where the goal is an input.  A coordinate that is the same in all examples does not
        determine others; the error is then taken to be a position minus the goal if their
        dimensions agree.
        """
        return np.asarray(self.offsets(goal[np.newaxis])[0])

    def offsets(self, goals: Array) -> Array:
        """Return :meth:`offset` of goals ``(n, g)``, ``(n, m)``."""
        if goals.shape[1] != len(self.scale.rms):
            return np.zeros((len(goals), len(self.counted)))
        shift = np.where(self.shifts, (self.goal_mean - goals) / self.scale.rms, 0.0)
        return np.asarray(shift[:, self.counted])

    def errors(self, error: Array) -> Array:
        """Scale errors ``(n, all)`` and keep those that count ``(n, m)``."""
        return np.asarray((error / self.scale.rms)[:, self.counted])

    @property
    def unit(self) -> Array:
        """``(m,)`` cost [m] of one unit of each scaled error."""
        return np.asarray((self.scale.rms * np.abs(self.scale.mask))[self.counted])


def counted(mask: Array) -> Indices:
    """Return the indices of the error dimensions that count in the cost."""
    return np.flatnonzero(mask).astype(np.int64)


def goal_spread(goals: Array, rms: Array) -> Array:
    """Return the standard deviation ``(g,)`` of goals ``(n, g)``; 0 where they hardly vary."""
    std = goals.std(axis=0)
    least = VARIES * rms if len(std) == len(rms) else 1e-6 * np.abs(goals.mean(axis=0))
    return np.where(std > least, std, 0.0)


def rows_of(dataset: Dataset, frame: RowFrame) -> Rows:
    """Return the rows of the examples and of their labels, of at most MAX_ROWS."""
    theta, goal, group, doubtful = _labels(dataset)
    zeros = np.zeros((len(theta), len(frame.counted)))
    thetas = frame.scale.theta(np.concatenate([dataset.theta, theta]))
    goals = np.concatenate([dataset.goal, goal])
    varies = frame.goal_scale > 0.0
    offsets = (goals - frame.goal_mean)[:, varies] / frame.goal_scale[varies]
    errors = np.concatenate([frame.errors(dataset.error), zeros]) - frame.offsets(goals)
    groups = np.concatenate([np.asarray(dataset.group, dtype=np.int64), group])
    doubt = np.concatenate([np.zeros(len(dataset), dtype=np.bool_), doubtful])
    kept = _kept(dataset, group)
    return Rows(
        np.concatenate([thetas, offsets], axis=1)[kept],
        errors[kept],
        np.unique(groups[kept], return_inverse=True)[1].astype(np.int64),
        doubt[kept],
        thetas.shape[1],
    )


def kept_examples(dataset: Dataset) -> Indices:
    """Return the examples ``(n,)`` of which :func:`rows_of` makes its first ``n`` rows."""
    kept = _kept(dataset, _labels(dataset)[2])
    return kept[kept < len(dataset)]


def _kept(dataset: Dataset, labels: Indices) -> Indices:
    """Return which of the examples, then of the labels of the groups ``labels``, are rows."""
    groups = np.concatenate([np.asarray(dataset.group, dtype=np.int64), labels])
    return _thinned(groups, np.arange(len(groups)) >= len(dataset))


def _labels(dataset: Dataset) -> tuple[Array, Array, Indices, NDArray[np.bool_]]:
    """Return solved thetas ``(L, d)``, their goals, groups, and which of them are doubtful.

    Examples of one draw and goal mostly share their label: it counts once.  Labels whose cost
    was not measured, or that are far from solving, are averaged over the draw and goal.
    """
    solved = dataset.theta + dataset.dtheta
    group = np.asarray(dataset.group, dtype=np.int64)
    good = trusted_labels(dataset)
    number = np.unique(group, return_inverse=True)[1]  # float64 holds no stamps [ns]
    key = np.column_stack([number, dataset.goal, np.where(good[:, np.newaxis], solved, np.inf)])
    first, which = np.unique(key.round(9), axis=0, return_index=True, return_inverse=True)[1:]
    which = which.reshape(-1)
    counts = np.bincount(which)[:, np.newaxis]
    mean = np.zeros((len(first), solved.shape[1]))
    np.add.at(mean, which, solved)
    return mean / counts, dataset.goal[first], group[first], ~good[first]


def _thinned(group: Indices, label: NDArray[np.bool_]) -> Indices:
    """Return at most MAX_ROWS rows: of as many samples as can have MIN_ROWS each, labels first."""
    if len(group) <= MAX_ROWS:
        return np.arange(len(group))
    rng = np.random.default_rng(0)
    names, draw = np.unique(group, return_inverse=True)
    chosen = rng.permutation(len(names))[: MAX_ROWS // MIN_ROWS]
    shuffled = rng.permutation(len(group))
    shuffled = shuffled[np.isin(draw[shuffled], chosen)]
    shuffled = shuffled[np.lexsort((~label[shuffled], draw[shuffled]))]
    starts = np.searchsorted(draw[shuffled], draw[shuffled])
    turn = np.arange(len(shuffled)) - starts  # number of rows of its sample before a row
    return np.sort(shuffled[np.argsort(turn, kind="stable")[:MAX_ROWS]])
