"""The language model as an in-context forward model: it predicts outcomes of candidates.

The planning of DICP (arXiv 2502.19009) without its proposals: ``llm-plan`` chooses among answers of
the model, this one among what retrieved examples and the run's own pairs suggest, so the model only
completes outcomes, and one number decides nothing alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome
from icpi_ros.improvers.llm.asking import Asker
from icpi_ros.improvers.llm.pattern import MAX_ADJUSTMENT
from icpi_ros.improvers.llm.plan import LlmPlan, PlanOptions
from icpi_ros.improvers.options import fixed, option

OWN_SHARE = 4
"""One candidate in so many is a pair of the run's own."""


@dataclass(frozen=True)
class ModelOptions(PlanOptions):
    """Options of the candidates, and other defaults."""

    samples: int = fixed(1)
    temperature: float = fixed(0.0)
    fuse: str = fixed(PlanOptions.fuse)
    predictor: str = fixed("llm")
    logprobs: int = 10
    candidates: int = option(
        8, "adjustments whose outcomes are predicted, one question each", low=2, high=64
    )


class LlmModel(LlmPlan):
    """Executes the candidate of lowest predicted cost; ``details`` gets ``candidates``."""

    name: ClassVar[str] = "llm-model"
    summary: ClassVar[str] = "language model that predicts outcomes of retrieved adjustments (DICP)"
    Options = ModelOptions
    options: ModelOptions

    def _candidates(self, history: Sequence[Outcome], base: Outcome, asker: Asker) -> list[Array]:
        """Return the labels' mean, the labels, the run's own pairs and places between, untried.

        Places between labels are means of two, the nearest first.
        """
        pattern = self._adjustments.pattern(history, base, self._k, own=True)
        labels = pattern.shared.outputs[::-1]
        mean = labels.mean(axis=0)
        own = pattern.own.outputs[::-1][: self.options.candidates // OWN_SHARE]
        mixed = [one for label in labels for one in (label, 0.5 * (mean + label))]
        steps = np.clip([mean, *own, *mixed], -MAX_ADJUSTMENT, MAX_ADJUSTMENT)
        thetas = base.theta + self._index.scale.unscale_dtheta(steps)
        fresh = [theta for theta in self._distinct(list(thetas)) if not self._tried(theta, history)]
        return fresh[: self.options.candidates]
