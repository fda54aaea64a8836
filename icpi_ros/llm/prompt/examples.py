"""Patterns of adjustments and of outcomes, made of a data set's examples and a run's trials.

An outcome pattern is the planning of DICP (arXiv 2502.19009): the model that completes adjustments
completes outcomes, too.  Every two executions under one physics are an example: from trial i,
stepping to theta_j leads to e_j.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from icpi_ros.core.types import Array, Indices, Outcome
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.executions import Executions, steps
from icpi_ros.learn.features import Features
from icpi_ros.learn.regression import ordered_pairs
from icpi_ros.learn.retrieval import Index, Scale
from icpi_ros.llm.prompt.pair_examples import PairExamples
from icpi_ros.llm.prompt.pattern import Pattern, PatternLines

ORDERS = ("nearest-last", "nearest-first", "best-last", "random")
"""Of the retrieved examples: by distance to the trial, or by their cost (OPRO), or shuffled."""
LABELS, PAIRS = EXAMPLES = ("labels", "pairs")
BOTH, ERROR = INPUTS = ("both", "error")
MAX_TRIALS = 6
"""The nearest trials of a run make pairs: at most 30 lines."""


@dataclass(frozen=True)
class AdjustmentPatterns:
    """Patterns ``theta | features of the error -> dtheta`` for the trials of one run.

    Attributes:
        dataset: the examples, errors as such.
        features: of an outcome.
        index: the examples, features in place of errors.
        order: one of ``ORDERS``.
        pairs: examples to choose from in place of the data set's; None = those.
        inputs: of a line, one of ``INPUTS``.
    """

    dataset: Dataset
    features: Features
    index: Index
    order: str = ORDERS[0]
    pairs: PairExamples | None = None
    inputs: str = BOTH

    def pattern(self, history: Sequence[Outcome], base: Outcome, k: int, own: bool) -> Pattern:
        """Return the pattern that asks for the adjustment of a trial.

        Args:
            history: trials of the run, oldest first.
            base: the trial.
            k: retrieved examples, 0 = none.
            own: show the run's own trials, as hindsight pairs: had trial j's outcome been the
                goal, trial i would have had the error e_i - e_j and needed theta_j - theta_i.
        """
        query = self._input(base.theta, self.features.trial(base.error))
        pairs = self._pairs(history, base) if own and len(history) > 1 else self._none
        pattern = Pattern(self.retrieved(base, k), pairs, query)
        return pattern.without_first() if self.inputs == ERROR else pattern

    def retrieved(self, base: Outcome, k: int) -> PatternLines:
        """Return the ``k`` examples for a trial, both groups of inputs, in their order."""
        if self.pairs is not None and k:
            theta, error = self._input(base.theta, base.error)
            lines = self.pairs.nearest(theta, error, k)
            scale = self.index.scale
            costs = np.linalg.norm(lines.inputs[-1] * scale.rms * scale.mask, axis=1)
            return lines.take(self._order(costs))
        nearest = np.empty(0, dtype=np.intp)
        if k:
            nearest = self.index.query(base.theta, self.features.trial(base.error), k)
        return self._examples.take(nearest[self._order(self.dataset.cost[nearest])])

    def _order(self, costs: Array) -> Indices:
        """Return the order ``(k,)`` of examples that come nearest first, by their costs [m]."""
        places = np.arange(len(costs))
        if self.order == "nearest-first":
            return places
        if self.order == "best-last":
            return np.argsort(-costs, kind="stable")
        if self.order == "random":
            return np.random.default_rng(0).permutation(places)
        return places[::-1]

    @cached_property
    def _examples(self) -> PatternLines:
        """All examples as lines, both groups of inputs."""
        return self._lines(slice(None))

    @cached_property
    def _none(self) -> PatternLines:
        return self._lines(slice(0))

    def _lines(self, rows: slice) -> PatternLines:
        """Return examples as lines."""
        examples = self.index.dataset
        inputs = self._input(examples.theta[rows], examples.error[rows])
        return PatternLines(inputs, self.index.scale.dtheta(examples.dtheta[rows]))

    def _pairs(self, history: Sequence[Outcome], base: Outcome) -> PatternLines:
        """Return the run's ordered pairs of its nearest trials, nearest to ``base`` last."""
        scale = self.index.scale
        trials = sorted(history, key=lambda trial: self._gap(trial, base))[:MAX_TRIALS]
        d, m = len(base.theta), len(base.error)
        thetas = np.array([trial.theta for trial in trials]).reshape(-1, d)
        errors = np.array([trial.error for trial in trials]).reshape(-1, m)
        i, j = ordered_pairs(len(trials))
        seen = self.features.pair(errors[i], errors[j])
        query = scale.point(base.theta, self.features.trial(base.error))
        far = np.linalg.norm(scale.point(thetas[i], seen) - query, axis=1)
        lines = PatternLines(self._input(thetas[i], seen), scale.dtheta(thetas[j] - thetas[i]))
        return lines.take(np.argsort(-far, kind="stable"))

    def _gap(self, trial: Outcome, base: Outcome) -> float:
        scale = self.index.scale
        return float(np.linalg.norm(scale.theta(trial.theta) - scale.theta(base.theta)))

    def _input(self, theta: Array, seen: Array) -> tuple[Array, Array]:
        """Scale inputs; the mask is for distances, the model sees every dimension."""
        return self.index.scale.theta(theta), np.asarray(seen / self.index.scale.rms)


class OutcomePatterns:
    """Outcome patterns of one run.

    Args:
        dataset: the examples.
        scale: of theta and of errors (not of other features).
        goal: ``(g,)`` of the run.
    """

    def __init__(self, dataset: Dataset, scale: Scale, goal: Array) -> None:
        from scipy.spatial import cKDTree  # lazily: a third of a second

        self._scale = scale
        done = Executions.of(dataset, scale.space, goal)
        i, j = steps(done)
        errors = done.errors / scale.rms
        self._lines = PatternLines(
            (done.points[i], errors[i], done.points[j] - done.points[i]), errors[j]
        )
        self._tree = cKDTree(self._lines.joined) if len(self._lines) else None

    def pattern(self, history: Sequence[Outcome], base: Outcome, theta: Array, k: int) -> Pattern:
        """Return the pattern that asks for the scaled error after a step from ``base``.

        Args:
            history: trials of the run, oldest first.
            base: the trial to start from.
            theta: ``(d,)`` to step to.
            k: examples of the data set.
        """
        scale = self._scale
        start = scale.theta(base.theta)
        query = (start, base.error / scale.rms, scale.theta(theta) - start)
        return Pattern(self._nearest(query, k), self._own(history, query), query)

    def _nearest(self, query: tuple[Array, ...], k: int) -> PatternLines:
        """Return the data set's ``k`` nearest steps, nearest last."""
        if self._tree is None:  # no two executions under one physics
            return self._lines
        found = self._tree.query(np.concatenate(query), min(k, len(self._lines)))[1]
        return self._lines.take(np.atleast_1d(np.asarray(found, dtype=np.intp))[::-1])

    def _own(self, history: Sequence[Outcome], query: tuple[Array, ...]) -> PatternLines:
        """Return the steps between the trials nearest to the query's start, nearest last."""
        points = self._scale.theta(np.array([trial.theta for trial in history]))
        near = np.argsort(np.linalg.norm(points - query[0], axis=1), kind="stable")[:MAX_TRIALS]
        errors = np.array([trial.error for trial in history])[near] / self._scale.rms
        points = points[near]
        i, j = ordered_pairs(len(near))
        lines = PatternLines((points[i], errors[i], points[j] - points[i]), errors[j])
        far = np.linalg.norm(lines.joined - np.concatenate(query), axis=1)
        return lines.take(np.argsort(-far, kind="stable"))
