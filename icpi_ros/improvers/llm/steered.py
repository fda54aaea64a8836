"""Proposals outside the region that good examples support are rejected and asked for again.

The ideas of ICPO (*Think Outside the Policy*, 2025) at inference: expert-region rejection and an
annealed bonus for experts.  A theta is supported if w d/r + (1 - w) d'/r' <= 1, in scaled
coordinates: d is its distance from the nearest place that a retrieved good example leads to, r a
radius from how near those places are to each other; d' its distance from the run's best trial, r'
twice the step that the run's own trials suggest.  The trust w in the data set is 1 for the first
proposal and falls by a factor with every trial.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.llm.asking import Asker
from icpi_ros.improvers.llm.options import LlmOptions
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.improvers.options import option
from icpi_ros.learn.dataset.dataset import trusted_labels
from icpi_ros.learn.regression import ordered_pairs
from icpi_ros.llm.prompt.pattern import Pattern

MIN_RADIUS = 0.05
"""Scaled; about the scatter of labels of one physics."""
PLACES_SLACK = 1.2
"""On the largest gap between neighbouring places: 95 % of the labels of the shipped sets lie within
that radius of where the 20 nearest examples of other physics lead."""
REACH_SLACK = 2.0
"""On the step that the run's own trials suggest."""


@dataclass(frozen=True)
class Region:
    """Region of theta that examples and the run's own trials support.

    Attributes:
        places: ``(n, d)`` scaled thetas where good examples lead.
        radius: around them.
        centre: ``(d,)`` scaled theta of the run's best trial.
        reach: around it; infinite while the run does not determine it.
        trust: weight of the data set, 0 to 1.
    """

    places: Array
    radius: float
    centre: Array
    reach: float
    trust: float

    @classmethod
    def of(cls, places: Array, thetas: Array, errors: Array, decay: float) -> Region:
        """Build it for a run.

        Args:
            places: ``(n, d)`` scaled thetas where the retrieved good examples lead.
            thetas: ``(t, d)`` scaled thetas of the run's trials, the best one first.
            errors: ``(t, m)`` their scaled errors.
            decay: factor on the trust per trial after the first, 0 to 1.
        """
        trust = float(decay ** (len(thetas) - 1)) if len(places) else 0.0
        return cls(places, _radius(places), thetas[0], _reach(thetas, errors), trust)

    def excess(self, theta: Array) -> float:
        """Return the relative distance of a scaled theta ``(d,)``: supported up to 1."""
        own = float(np.linalg.norm(theta - self.centre)) / self.reach
        if not len(self.places):
            return own
        near = float(np.min(np.linalg.norm(self.places - theta, axis=1))) / self.radius
        return self.trust * near + (1.0 - self.trust) * own


def shown(k: int, trust: float, least: int) -> int:
    """Return the number of retrieved examples of ``k`` to show at a trust in the data set."""
    return max(min(k, least), round(k * trust))


def _radius(places: Array) -> float:
    """Return PLACES_SLACK times the largest distance of a place to its nearest other one."""
    if len(places) < 2:
        return MIN_RADIUS
    gaps = np.linalg.norm(places[:, np.newaxis] - places, axis=2)
    np.fill_diagonal(gaps, np.inf)
    return max(PLACES_SLACK * float(np.max(gaps.min(axis=1))), MIN_RADIUS)


def _reach(thetas: Array, errors: Array) -> float:
    """Return REACH_SLACK times the step that the best trial needs, by the run's own trials."""
    i, j = ordered_pairs(len(thetas))
    steps = np.linalg.norm(thetas[j] - thetas[i], axis=1)
    changes = np.linalg.norm(errors[j] - errors[i], axis=1)
    changed = changes > 1e-9
    if not changed.any():
        return np.inf
    gain = float(np.median(steps[changed] / changes[changed]))
    return max(REACH_SLACK * gain * float(np.linalg.norm(errors[0])), MIN_RADIUS)


MIN_EXAMPLES = 4


@dataclass(frozen=True)
class SteeredOptions(LlmOptions):
    """Options of asking again, and other defaults."""

    history: bool = True
    start: str = "best"
    temperature: float = 0.7
    asks: int = option(4, "questions per proposal, the first one included", low=1, high=20)
    decay: float = option(0.6, "factor on the trust in the data set per trial", low=0.0, high=1.0)


class LlmSteered(Llm):
    """Rejects what the examples do not support; ``details`` gets ``trust`` and ``rejected``."""

    name: ClassVar[str] = "llm-steered"
    summary: ClassVar[str] = "language model held to the region of good examples (ICPO)"
    Options = SteeredOptions
    fuses: ClassVar[bool] = False
    options: SteeredOptions

    def pattern(self, history: Sequence[Outcome]) -> Pattern:
        """Return the pattern to complete: with every trial fewer retrieved examples, at least 4."""
        k = shown(self._k, self.options.decay ** (len(history) - 1), MIN_EXAMPLES)
        return self._adjustments.pattern(history, self._base(history), k, self.options.history)

    def _ask(self, history: Sequence[Outcome], asker: Asker, details: dict[str, Any]) -> Proposal:
        base, region = self._base(history), self.region(history)
        rejected: list[list[float]] = []
        details |= {"trust": region.trust, "rejected": rejected}

        def accept(outputs: Array) -> Array:
            theta = self._accepted(base, outputs, history)
            excess = region.excess(self.context.space.normalise(theta))
            if excess > 1.0:
                rejected.append(theta.tolist())
                raise CompletionFailed(
                    f"the answer lies {excess:.3g} times as far out as good examples support"
                )
            return theta

        for left in reversed(range(self.options.asks)):
            try:
                return Proposal(
                    asker.outputs(self.pattern(history), "adjustment", accept)[0], self.name
                )
            except CompletionFailed:
                if left == 0 or not asker.answered:  # asking again is for rejected answers only
                    raise
        raise AssertionError("asks is at least 1")

    def region(self, history: Sequence[Outcome]) -> Region:
        """Return the region in which proposals for ``history`` may lie."""
        base, scale, data = self._base(history), self._index.scale, self.context.dataset
        near = self._index.query(base.theta, self._seen(base), self._k)
        near = near[trusted_labels(data)[near]]
        trials = sorted(history, key=lambda trial: trial.cost)
        return Region.of(
            scale.theta(data.theta[near] + data.dtheta[near]),
            scale.theta(np.array([trial.theta for trial in trials])),
            self._scale.error(np.array([trial.error for trial in trials])),
            self.options.decay,
        )
