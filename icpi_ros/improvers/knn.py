"""Nearest neighbours: do what helped in similar situations.

``knn-copy`` copies the adjustment of the nearest example, ``knn`` averages those of the k nearest.
Their ``-hindsight`` forms add the run's own ordered pairs to the examples: had trial j's outcome
been the goal, trial i would have had the error e_i - e_j and needed theta_j - theta_i.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import IndexedImprover, IndexedOptions, best
from icpi_ros.improvers.options import fixed, option
from icpi_ros.learn.regression import ordered_pairs

MAX_TRIALS = 20
"""Only the latest trials make pairs, so that a long history stays cheap."""
SOFTENING = 1e-6
"""Added to squared distances, so that an exact hit has a finite weight."""


@dataclass(frozen=True)
class KnnOptions(IndexedOptions):
    """Tuned on training draws, see docs/baselines.md."""

    k: int = 5
    power: float = option(4.0, "weights fall with the distance r as r^-power", low=0.0, high=20.0)
    from_best: bool = option(False, "start from the best trial so far instead of the latest")


@dataclass(frozen=True)
class KnnCopyOptions(KnnOptions):
    """Of one example; its weight does not matter."""

    k: int = fixed(1)
    power: float = fixed(KnnOptions.power)


class Knn(IndexedImprover):
    """Weighted mean of the adjustments of the k nearest examples to the latest trial.

    Kernel: w = 1 / (r^2 + 1e-6)^2 of the distance r in scaled (theta, error) coordinates.  The
    latest trial and not the best one, as in ICPI: from an unchanged best trial it would repeat
    itself.
    """

    name: ClassVar[str] = "knn"
    summary: ClassVar[str] = "distance-weighted mean adjustment of the nearest examples"
    Options = KnnOptions
    options: KnnOptions
    hindsight: ClassVar[bool] = False

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return theta + mean adjustment; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        base = best(history) if self.options.from_best else history[-1]
        distances, labels = self._examples(base)
        if self.hindsight and len(history) > 1:
            own = self._pairs(base, history[-MAX_TRIALS:])
            distances, labels = np.append(distances, own[0]), np.concatenate([labels, own[1]])
            near = np.argsort(distances, kind="stable")[: self._k]
            distances, labels = distances[near], labels[near]
        weights = (distances**2 + SOFTENING) ** (-0.5 * self.options.power)
        theta = base.theta + weights @ labels / weights.sum()
        if self.options.from_best or (self.hindsight and self._k == 1):
            # A copied pair of the run's own would lead back to a trial that was executed.
            theta = self._fresh(theta, base, history, rng)
        return Proposal(theta, self.name, latency=time.perf_counter() - start)

    def _examples(self, base: Outcome) -> tuple[Array, Array]:
        """Return distances ``(k,)`` and adjustments ``(k, d)`` of the nearest examples."""
        seen = self._seen(base)
        near = self._index.query(base.theta, seen, self._k)
        point = self._index.scale.point(base.theta, seen)
        return self._index.distances(point, near), self.context.dataset.dtheta[near]

    def _pairs(self, base: Outcome, history: Sequence[Outcome]) -> tuple[Array, Array]:
        """Return distances ``(p,)`` and adjustments ``(p, d)`` of the run's ordered pairs."""
        scale = self._index.scale
        thetas = np.array([trial.theta for trial in history])
        errors = np.array([trial.error for trial in history])
        i, j = ordered_pairs(len(history))
        points = scale.point(thetas[i], self._features.pair(errors[i], errors[j]))
        away = points - scale.point(base.theta, self._seen(base))
        return np.linalg.norm(away, axis=1), thetas[j] - thetas[i]


class KnnHindsight(Knn):
    """The same with the run's own pairs among the examples."""

    name: ClassVar[str] = "knn-hindsight"
    summary: ClassVar[str] = "knn with the run's own pairs among the examples"
    hindsight: ClassVar[bool] = True


class KnnCopy(Knn):
    """The adjustment of the one nearest example."""

    name: ClassVar[str] = "knn-copy"
    summary: ClassVar[str] = "adjustment of the nearest example"
    Options = KnnCopyOptions


class KnnCopyHindsight(KnnCopy):
    """The same with the run's own pairs among the examples."""

    name: ClassVar[str] = "knn-copy-hindsight"
    summary: ClassVar[str] = "knn-copy with the run's own pairs among the examples"
    hindsight: ClassVar[bool] = True
