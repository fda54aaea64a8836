"""Examples that every two executions of a data set make: near in the trial's own terms.

A data set labels the way from a bad trial to its goal, mostly a long one, so that close to the goal
no label is near.  Two executions under one physics are an example, too: had the second one's
outcome been the goal, the first would have had the difference of their errors, and would have
needed the difference of their thetas.  Those that are short go beside the labels: 88 to 608 with
the 300 of a shipped set.

Errors are compared at the scale of the trial's own, once that is small, and no physics gives more
than two examples, so that what is shown does not all share one deviation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array, Indices
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.executions import Executions, draws, steps
from icpi_ros.learn.retrieval import Scale
from icpi_ros.llm.prompt.pattern import PatternLines

NEAR = 0.3
"""Scaled error up to which pairs are taken; labels have the longer ways."""
MIN_ERROR = 0.05
"""Scaled error below which distances are not magnified further."""
PER_PHYSICS = 2
"""Most examples of one physics that are shown."""


@dataclass(frozen=True)
class PairExamples:
    """Labels of a data set and short ways between its executions, for one run.

    Attributes:
        lines: groups theta ``(n, d)`` and error ``(n, m)``, outputs dtheta ``(n, d)``; all scaled.
        draw: ``(n,)`` number of the physics sample.
        mask: ``(m,)`` weight of each error dimension.
    """

    lines: PatternLines
    draw: Indices
    mask: Array

    @classmethod
    def of(cls, dataset: Dataset, scale: Scale, goal: Array) -> PairExamples:
        """Return the examples for a run with ``goal`` ``(g,)``."""
        done = Executions.of(dataset, scale.space, goal)
        i, j = steps(done)
        errors = (done.errors[i] - done.errors[j]) / scale.rms
        near = np.flatnonzero(np.linalg.norm(errors * scale.mask, axis=1) < NEAR)
        i, j, errors = i[near], j[near], errors[near]
        lines = PatternLines(
            (
                np.concatenate([scale.theta(dataset.theta), done.points[i]]),
                np.concatenate([dataset.error / scale.rms, errors]),
            ),
            np.concatenate([scale.dtheta(dataset.dtheta), done.points[j] - done.points[i]]),
        )
        return cls(lines, np.concatenate([draws(dataset, goal), done.draw[i]]), scale.mask)

    def nearest(self, theta: Array, error: Array, k: int) -> PatternLines:
        """Return ``k`` lines near a scaled theta ``(d,)`` and error ``(m,)``, nearest first."""
        thetas, errors = self.lines.inputs
        size = float(np.clip(np.linalg.norm(error * self.mask), MIN_ERROR, 1.0))
        squares = np.sum((thetas - theta) ** 2, axis=1)
        squares += np.sum(((errors - error) * self.mask / size) ** 2, axis=1)
        return self.lines.take(self._varied(np.argsort(squares, kind="stable"), k))

    def _varied(self, order: Indices, k: int) -> Indices:
        """Return the first ``k`` of ``order`` with at most PER_PHYSICS of one physics.

        Where the data set has too few physics, more of each fill up.
        """
        ranks, draws_of = np.empty(len(order), dtype=np.int64), self.draw[order]
        for draw in np.unique(draws_of):
            members = np.flatnonzero(draws_of == draw)
            ranks[members] = np.arange(len(members))
        rounds = ranks // PER_PHYSICS
        first = np.flatnonzero(rounds <= np.sort(rounds)[min(k, len(order)) - 1])
        by_round = first[np.argsort(rounds[first], kind="stable")][:k]
        return np.asarray(order[np.sort(by_round)])
