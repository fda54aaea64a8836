"""Nulls of the improvers that show examples to a language model: what needs no model.

A model that is no better than these on the same lines has read nothing out of them.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import Context, IndexedImprover
from icpi_ros.improvers.llm.options import ShownOptions
from icpi_ros.improvers.llm.pattern import base_of, chosen_pairs
from icpi_ros.llm.prompt.examples import AdjustmentPatterns


class NullMean(IndexedImprover):
    """Plain mean of the adjustments of the examples that ``llm`` would show, see its ``k``."""

    name: ClassVar[str] = "null-mean"
    summary: ClassVar[str] = "null of llm: the plain mean of the k adjustments shown"
    Options = ShownOptions
    options: ShownOptions

    def __init__(self, context: Context) -> None:
        """Index the data set.

        Raises:
            InvalidValue: a wrong option, or too few examples.
        """
        super().__init__(context)
        pairs = chosen_pairs(self.options, context, self._scale)
        self._shown = AdjustmentPatterns(context.dataset, self._features, self._index, pairs=pairs)

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return the theta that is adjusted + an adjustment; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        base = base_of(self.options, history)
        labels = self._shown.retrieved(base, self._k).outputs
        theta = base.theta + self._scale.unscale_dtheta(self._adjustment(labels, rng))
        return Proposal(theta, self.name, latency=time.perf_counter() - start)

    def _adjustment(self, labels: Array, rng: np.random.Generator) -> Array:
        """Return one scaled adjustment ``(d,)`` made of those of the examples ``(k, d)``."""
        return np.asarray(labels.mean(axis=0))


class NullLabel(NullMean):
    """The adjustment of a random one of those examples."""

    name: ClassVar[str] = "null-label"
    summary: ClassVar[str] = "null of llm: a random one of the k adjustments shown"

    def _adjustment(self, labels: Array, rng: np.random.Generator) -> Array:
        return np.asarray(rng.choice(labels))
