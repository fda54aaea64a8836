"""Retrieval: the examples of a data set that are nearest to a trial (ICPI section "retrieval").

Distances are taken in scaled coordinates, so that neither units nor ranges decide: theta is
mapped to [-1, 1] by its space, each error dimension is divided by its RMS in the data set.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import DatasetError, InvalidValue, invalid
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset

DEFAULT_K = 20
"""Examples in context (ICPI)."""
MAX_COMPARED = 500
"""Most examples that are all sorted for a query: with more a k-d tree is faster."""
_TIE = 1e-9
"""Relative slack of the search radius; more than the rounding of a distance."""


@dataclass(frozen=True)
class Scale:
    """Unit-free coordinates of one task and data set.

    Attributes:
        space: policy parameters; theta is scaled to [-1, 1] by it.
        rms: ``(m,)`` root mean square of each error dimension in the data set [its unit]; 1
            where it is 0.
        mask: ``(m,)`` weight of each error dimension, 0 = left out.
    """

    space: ParameterSpace
    rms: Array
    mask: Array

    @classmethod
    def of(cls, dataset: Dataset, space: ParameterSpace, mask: Array | None = None) -> Scale:
        """Measure the error scale of a data set; ``mask`` None counts every dimension."""
        rms = np.sqrt(np.mean(np.square(dataset.error), axis=0))
        weights = np.ones(dataset.error.shape[1]) if mask is None else np.asarray(mask, float)
        return cls(space, np.where(rms > 0.0, rms, 1.0), weights)

    def theta(self, theta: Array) -> Array:
        """Scale policy parameters ``(..., d)``."""
        return self.space.normalise(theta)

    def dtheta(self, dtheta: Array) -> Array:
        """Scale adjustments ``(..., d)``."""
        return np.asarray(dtheta / self._half_range)

    def unscale_dtheta(self, scaled: Array) -> Array:
        """Inverse of :meth:`dtheta`."""
        return np.asarray(scaled * self._half_range)

    def error(self, error: Array) -> Array:
        """Scale and mask errors ``(..., m)``."""
        return np.asarray(error / self.rms * self.mask)

    def point(self, theta: Array, error: Array) -> Array:
        """Return the coordinates ``(..., d + m)`` in which examples are near or far."""
        return np.concatenate([self.theta(theta), self.error(error)], axis=-1)

    @cached_property
    def _half_range(self) -> Array:
        return self.space.half_range


class Index:
    """The examples of a data set, arranged for nearest-neighbour queries.

    All are sorted for each query, or a k-d tree of many is asked: 10^6 random examples take 0.6 to
    1.3 s to build and 0.06 ms (4 dimensions) to 1.2 ms (10 dimensions) per query, median.

    Attributes:
        dataset: the examples.
        scale: the coordinates.
        points: ``(N, d + m)`` the examples in these coordinates.
    """

    def __init__(self, dataset: Dataset, space: ParameterSpace, mask: Array | None = None) -> None:
        """Scale the examples and build the tree, if they are many.

        Args:
            dataset: examples of one task.
            space: policy parameters of that task.
            mask: ``(m,)`` weight of each error dimension; None = all count.

        Raises:
            DatasetError: an example is not finite.
        """
        self.dataset = dataset
        require_finite(dataset)
        self.scale = Scale.of(dataset, space, mask)
        self.points = self.scale.point(dataset.theta, dataset.error)
        self._tree: Any = None
        if len(dataset) > MAX_COMPARED:
            from scipy.spatial import cKDTree  # lazily: a third of a second

            self._tree = cKDTree(self.points)

    def require(self, k: int) -> None:
        """Check that ``k`` neighbours exist.

        Raises:
            InvalidValue: the data set is smaller than ``k``, or ``k`` is not positive.
        """
        if k < 1:
            raise invalid(f"k = {k} neighbours: must be at least 1", "k", k, (1, math.inf))
        if len(self.dataset) < k:
            raise invalid(
                f"needs at least {k} examples, {describe(self.dataset)} has {len(self.dataset)}: "
                "build a larger one or ask for fewer neighbours",
                "k",
                k,
                (1, len(self.dataset)),
            )

    def query(self, theta: Array, error: Array, k: int = DEFAULT_K) -> NDArray[np.intp]:
        """Return the indices ``(k,)`` of the nearest examples, nearest first.

        Ties go to the lower index, whatever order the tree visits them in.

        Args:
            theta: ``(d,)`` policy parameters of the query [units of the space].
            error: ``(m,)`` relative error of the query.
            k: number of examples.

        Raises:
            InvalidValue: fewer than ``k`` examples, or the query is not finite.
        """
        self.require(k)
        point = self.scale.point(theta, error)
        if not np.isfinite(point).all():
            raise InvalidValue(f"cannot retrieve for theta {theta}, error {error}: not finite")
        if self._tree is None:
            return np.argsort(self.distances(point, slice(None)), kind="stable")[:k]
        near = self._near(point, k)
        order = np.argsort(self.distances(point, near), kind="stable")
        return near[order[:k]]

    def _near(self, point: Array, k: int) -> NDArray[np.intp]:
        """Return the indices of the ``k`` nearest and of all that tie with the last, ascending."""
        distances, found = self._tree.query(point, k + 1)  # inf where there is no further one
        limit = float(distances[k - 1]) * (1.0 + _TIE)
        if distances[k] > limit:
            return np.sort(found[:k])
        return np.sort(np.asarray(self._tree.query_ball_point(point, limit), dtype=np.intp))

    def distances(self, point: Array, indices: NDArray[np.intp] | slice) -> Array:
        """Return the scaled distances ``(k,)`` of examples to a scaled ``(d + m,)`` point."""
        return np.asarray(np.sqrt(np.square(self.points[indices] - point).sum(axis=-1)))


def require_finite(dataset: Dataset) -> None:
    """Check that all examples are finite.

    Raises:
        DatasetError: one is not.
    """
    columns = (dataset.theta, dataset.error, dataset.dtheta)
    if not all(np.isfinite(column).all() for column in columns):
        raise DatasetError(f"{describe(dataset)} has examples that are not finite")


def describe(dataset: Dataset) -> str:
    """Name a data set in an error message: its file if it is known, else its task."""
    source = dataset.provenance.get("file")
    return f"data set {source}" if source else f"the data set of task {dataset.task}"
