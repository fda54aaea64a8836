"""Several proposals, their outcomes predicted in context, the best one executed.

The planning of DICP (arXiv 2502.19009): the predicting model is the same language model, or the
outcome model of ``embedded``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.core.redact import jsonable
from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import without_options
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.improvers.llm.asking import Asker
from icpi_ros.improvers.llm.options import EMBEDDED, LlmOptions
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.improvers.options import option
from icpi_ros.llm.prompt.examples import OutcomePatterns


@dataclass(frozen=True)
class PlanOptions(LlmOptions):
    """Options of planning, and other defaults."""

    history: bool = True
    start: str = "best"
    samples: int = 8
    temperature: float = 0.7
    predictor: str = option(EMBEDDED, "model that predicts the outcomes", choices=(EMBEDDED, "llm"))


class LlmPlan(Llm):
    """Executes the proposal of lowest predicted cost; ``details`` gets ``candidates``."""

    name: ClassVar[str] = "llm-plan"
    summary: ClassVar[str] = "language model that predicts the outcomes of its proposals (DICP)"
    Options = PlanOptions
    fuses: ClassVar[bool] = False
    options: PlanOptions

    def _get_ready(self) -> None:
        super()._get_ready()
        if self.options.predictor == EMBEDDED:
            self._forecaster = Embedded(without_options(self.context))

    def _ask(self, history: Sequence[Outcome], asker: Asker, details: dict[str, Any]) -> Proposal:
        base = self._base(history)
        thetas = self._distinct(self._thetas(history, base, asker))
        if self.options.predictor == "llm":
            costs = np.array([self._predicted(history, base, theta, asker) for theta in thetas])
            stds = np.full(len(costs), np.nan)
        else:
            costs, stds = self._forecaster.forecast(history, thetas)
        details["candidates"] = [
            {
                "theta": theta.tolist(),
                "predicted_cost": jsonable(cost),
                "predicted_std": jsonable(std),
            }
            for theta, cost, std in zip(thetas, costs, stds, strict=True)
        ]
        if np.isnan(costs).all():
            raise CompletionFailed("no outcome could be predicted")
        chosen = int(np.nanargmin(costs))
        return Proposal(
            thetas[chosen],
            self.name,
            predicted_cost=float(costs[chosen]),
            predicted_std=float(stds[chosen]),
        )

    def _distinct(self, thetas: list[Array]) -> Array:
        """Return the candidates ``(n, d)`` as the loop would execute them, each once."""
        inside = [self.context.space.project(theta)[0] for theta in thetas]
        return np.array(list({theta.tobytes(): theta for theta in inside}.values()))

    def _predicted(
        self, history: Sequence[Outcome], base: Outcome, theta: Array, asker: Asker
    ) -> float:
        """Return the cost [m] that the model predicts for a theta ``(d,)``; NaN if it fails."""
        pattern = self._outcomes.pattern(history, base, theta, self._k)
        try:
            (error,) = asker.outputs(pattern, "outcome", lambda o: o, 1, False, None)
        except CompletionFailed:
            return float("nan")
        return float(np.linalg.norm(error * self._scale.rms * self.context.cost_mask))

    @cached_property
    def _outcomes(self) -> OutcomePatterns:
        return OutcomePatterns(self.context.dataset, self._scale, self.context.goal)
