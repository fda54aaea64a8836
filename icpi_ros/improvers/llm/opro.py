"""(theta, cost) pairs of the run alone, in the manner of OPRO and Prompted Policy Search.

Yang et al., *Large Language Models as Optimizers*, 2023, section 2: the best 20 pairs, worst to
best.  The pair is turned around, "cost -> theta", so that the model completes a theta of cost 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.llm.asking import Asker
from icpi_ros.improvers.llm.options import LlmOptions
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.improvers.options import fixed
from icpi_ros.llm.prompt.pattern import Pattern, PatternLines
from icpi_ros.llm.prompt.text import describe_costs

MAX_PAIRS = 20


@dataclass(frozen=True)
class OproOptions(LlmOptions):
    """Options where neither examples nor errors are shown."""

    k: int = fixed(LlmOptions.k)
    features: str = fixed(LlmOptions.features)
    order: str = fixed(LlmOptions.order)
    examples: str = fixed(LlmOptions.examples)
    inputs: str = fixed(LlmOptions.inputs)
    history: bool = fixed(LlmOptions.history)
    start: str = fixed(LlmOptions.start)
    describe: bool = True
    temperature: float = 1.0


class LlmOpro(Llm):
    """Optimises from costs; neither errors nor the data set are shown."""

    name: ClassVar[str] = "llm-opro"
    summary: ClassVar[str] = "language model that sees (theta, cost) pairs only (OPRO, ProPS)"
    Options = OproOptions
    fuses: ClassVar[bool] = False

    def pattern(self, history: Sequence[Outcome]) -> Pattern:
        """Return the best trials as ``cost -> theta``, worst first, then cost 0 to complete."""
        best = sorted(history, key=lambda trial: trial.cost)[:MAX_PAIRS][::-1]
        costs = np.array([[trial.cost] for trial in best]) / self._unit
        thetas = self._index.scale.theta(np.array([trial.theta for trial in best]))
        none = PatternLines((np.empty((0, 1)),), np.empty((0, thetas.shape[1])))
        return Pattern(none, PatternLines((costs,), thetas), (np.zeros(1),))

    @property
    def _unit(self) -> float:
        """Cost [m] that is written as 1: its RMS in the data set."""
        return float(np.sqrt(np.mean(self.context.dataset.cost**2))) or 1.0

    def _description(self, unit: str) -> str:
        return describe_costs(self.context.dataset.task, self.context.space, unit, self._unit)

    def _ask(self, history: Sequence[Outcome], asker: Asker, details: dict[str, Any]) -> Proposal:
        def accept(outputs: Array) -> Array:
            self._require_near(outputs)  # of the middle of the box
            return self._untried(self.context.space.denormalise(outputs), history)

        return Proposal(asker.outputs(self.pattern(history), "theta", accept)[0], self.name)
