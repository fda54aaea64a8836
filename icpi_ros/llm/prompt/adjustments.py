"""Which examples a sequence model sees for a trial, and in which order."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.types import Array, Indices, Outcome
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.features import Features
from icpi_ros.learn.regression import ordered_pairs
from icpi_ros.learn.retrieval import Index
from icpi_ros.llm.prompt.pattern import Lines, Pattern

ORDERS = ("nearest-last", "nearest-first", "best-last", "random")
"""Of the retrieved examples: by distance to the trial, or by their cost (OPRO), or shuffled."""
MAX_TRIALS = 6
"""The nearest trials of a run make pairs: at most 30 lines."""


@dataclass(frozen=True)
class Adjustments:
    """Patterns ``theta | features of the error -> dtheta`` for the trials of one run.

    Attributes:
        dataset: the examples, errors as such.
        features: how an outcome looks.
        index: the examples, features in place of errors.
        order: one of ``ORDERS``.
    """

    dataset: Dataset
    features: Features
    index: Index
    order: str = ORDERS[0]

    def pattern(self, history: Sequence[Outcome], base: Outcome, k: int, own: bool) -> Pattern:
        """Return what asks for the adjustment of a trial.

        Args:
            history: trials of the run, oldest first.
            base: the trial.
            k: retrieved examples, 0 = none.
            own: show the run's own trials, as hindsight pairs: had trial j's outcome been the
                goal, trial i would have had the error e_i - e_j and needed theta_j - theta_i.
        """
        return Pattern(
            self._retrieved(base, k),
            self._pairs(history if own else history[:0], base),
            self._input(base.theta, self.features.trial(base.error)),
        )

    def _retrieved(self, base: Outcome, k: int) -> Lines:
        nearest = np.empty(0, dtype=np.intp)
        if k:
            nearest = self.index.query(base.theta, self.features.trial(base.error), k)
        chosen = nearest[self._order(nearest)]
        examples = self.index.dataset
        inputs = self._input(examples.theta[chosen], examples.error[chosen])
        return Lines(inputs, self.index.scale.dtheta(examples.dtheta[chosen]))

    def _order(self, nearest: NDArray[np.intp]) -> Indices:
        """Return the order ``(k,)`` of examples that come nearest first."""
        places = np.arange(len(nearest))
        if self.order == "nearest-first":
            return places
        if self.order == "best-last":
            return np.argsort(-self.dataset.cost[nearest], kind="stable")
        if self.order == "random":
            return np.random.default_rng(0).permutation(places)
        return places[::-1]

    def _pairs(self, history: Sequence[Outcome], base: Outcome) -> Lines:
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
        lines = Lines(self._input(thetas[i], seen), scale.dtheta(thetas[j] - thetas[i]))
        return lines.take(np.argsort(-far, kind="stable"))

    def _gap(self, trial: Outcome, base: Outcome) -> float:
        scale = self.index.scale
        return float(np.linalg.norm(scale.theta(trial.theta) - scale.theta(base.theta)))

    def _input(self, theta: Array, seen: Array) -> tuple[Array, Array]:
        """Scale inputs; the mask is for distances, the model sees every dimension."""
        return self.index.scale.theta(theta), np.asarray(seen / self.index.scale.rms)
