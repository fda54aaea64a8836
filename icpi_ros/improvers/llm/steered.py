"""Proposals outside the region that good examples support are rejected and asked for again.

The ideas of ICPO (*Think Outside the Policy*, 2025) at inference;
``icpi_ros.llm.prompt.region`` has the rule and the schedule by which trust moves from the data set
to the run's own trials.
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
from icpi_ros.llm.prompt.pattern import Pattern
from icpi_ros.llm.prompt.region import Region, shown

LEAST_EXAMPLES = 4


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
    options: SteeredOptions

    def pattern(self, history: Sequence[Outcome]) -> Pattern:
        """Return what is asked: with every trial fewer retrieved examples, at least 4."""
        k = shown(self._k, self.options.decay ** (len(history) - 1), LEAST_EXAMPLES)
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
        """Return where proposals for ``history`` may lie."""
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
