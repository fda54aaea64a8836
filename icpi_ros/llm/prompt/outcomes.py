"""Patterns that foretell outcomes: ``theta | error | dtheta -> error after it``.

The planning of DICP (arXiv 2502.19009): the model that completes adjustments completes outcomes,
too.  Every two executions under one physics are an example: from trial i, stepping to theta_j
leads to e_j.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from icpi_ros.core.types import Array, Indices, Outcome
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.executions import Executions
from icpi_ros.learn.regression import ordered_pairs
from icpi_ros.learn.retrieval import Scale
from icpi_ros.llm.prompt.pattern import Lines, Pattern

MAX_STEPS = 20_000
"""Most examples of the data set that are searched, evenly chosen."""
MAX_TRIALS = 6
"""The nearest trials of a run make pairs: at most 30 lines."""


class Outcomes:
    """Outcome patterns of one run.

    Args:
        dataset: the examples.
        scale: of theta and of errors (not of other features).
        goal: ``(g,)`` of the run.
    """

    def __init__(self, dataset: Dataset, scale: Scale, goal: Array) -> None:
        """Arrange all steps between executions of one draw."""
        from scipy.spatial import cKDTree  # lazily: a third of a second

        self._scale = scale
        done = Executions.of(dataset, scale.space, goal)
        i, j = _steps(done.draw)
        errors = done.errors / scale.rms
        self._lines = Lines((done.points[i], errors[i], done.points[j] - done.points[i]), errors[j])
        self._tree = cKDTree(self._lines.joined) if len(self._lines) else None

    def pattern(self, history: Sequence[Outcome], base: Outcome, theta: Array, k: int) -> Pattern:
        """Return what asks for the scaled error after a step from ``base`` to ``theta`` ``(d,)``.

        Args:
            history: trials of the run, oldest first.
            base: the trial to start from.
            theta: where to.
            k: examples of the data set.
        """
        scale = self._scale
        start = scale.theta(base.theta)
        query = (start, base.error / scale.rms, scale.theta(theta) - start)
        return Pattern(self._nearest(query, k), self._own(history, query), query)

    def _nearest(self, query: tuple[Array, ...], k: int) -> Lines:
        """Return the data set's ``k`` nearest steps, nearest last."""
        if self._tree is None:  # no two executions under one physics
            return self._lines
        found = self._tree.query(np.concatenate(query), min(k, len(self._lines)))[1]
        return self._lines.take(np.atleast_1d(np.asarray(found, dtype=np.intp))[::-1])

    def _own(self, history: Sequence[Outcome], query: tuple[Array, ...]) -> Lines:
        """Return the steps between the trials nearest to the query's start, nearest last."""
        points = self._scale.theta(np.array([trial.theta for trial in history]))
        near = np.argsort(np.linalg.norm(points - query[0], axis=1), kind="stable")[:MAX_TRIALS]
        errors = np.array([trial.error for trial in history])[near] / self._scale.rms
        points = points[near]
        i, j = ordered_pairs(len(near))
        lines = Lines((points[i], errors[i], points[j] - points[i]), errors[j])
        far = np.linalg.norm(lines.joined - np.concatenate(query), axis=1)
        return lines.take(np.argsort(-far, kind="stable"))


def _steps(draw: Indices) -> tuple[Indices, Indices]:
    """Return from where to where: pairs of executions ``(n,)`` of one draw, both ways."""
    found = [np.empty((2, 0), dtype=np.int64)]
    for number in np.unique(draw):
        members = np.flatnonzero(draw == number)
        i, j = ordered_pairs(len(members))
        found.append(np.stack([members[i], members[j]]))
    steps = np.concatenate(found, axis=1)
    every = max(1, -(-steps.shape[1] // MAX_STEPS))
    return steps[0, ::every], steps[1, ::every]
