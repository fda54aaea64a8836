"""Nearest neighbours: average what helped in similar situations."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from icpi_ros.context.retrieval import DEFAULT_K
from icpi_ros.improvers.base import IndexedImprover
from icpi_ros.types import Outcome, Proposal

_SOFTENING = 1e-6
"""Added to squared distances, so that an exact hit has a finite weight."""


class Knn(IndexedImprover):
    """Weighted mean of the adjustments of the 20 nearest examples to the latest trial.

    Kernel: inverse squared distance in scaled (theta, error) coordinates, w = 1 / (r^2 + 1e-6).
    The latest trial and not the best one, as in ICPI: from an unchanged best trial it would
    repeat itself.
    """

    name: ClassVar[str] = "knn"
    summary: ClassVar[str] = "distance-weighted mean adjustment of the 20 nearest examples"

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return latest theta + mean adjustment; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        latest = history[-1]
        nearest = self._index.query(latest.theta, latest.error, DEFAULT_K)
        point = self._index.scale.point(latest.theta, latest.error)
        weights = 1.0 / (self._index.distances(point, nearest) ** 2 + _SOFTENING)
        dtheta = weights @ self.context.dataset.dtheta[nearest] / weights.sum()
        return Proposal(latest.theta + dtheta, self.name, latency=time.perf_counter() - start)
