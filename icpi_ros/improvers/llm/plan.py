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
            own = self.options.substitute == EMBEDDED  # it is made already
            self._forecaster = self._embedded if own else Embedded(without_options(self.context))

    def _ask(self, history: Sequence[Outcome], asker: Asker, details: dict[str, Any]) -> Proposal:
        base = self._base(history)
        thetas = self._distinct(self._candidates(history, base, asker))
        if self.options.predictor == "llm":
            costs, stds = self._predicted(history, base, thetas, asker)
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

    def _candidates(self, history: Sequence[Outcome], base: Outcome, asker: Asker) -> list[Array]:
        """Return thetas ``(d,)`` to choose from, at least one: the model's own answers.

        Raises:
            CompletionFailed: there is none.
        """
        return self._thetas(history, base, asker)

    def _predicted(
        self, history: Sequence[Outcome], base: Outcome, thetas: Array, asker: Asker
    ) -> tuple[Array, Array]:
        """Return the costs [m] ``(n,)`` that the model predicts, NaN where it fails, and stds.

        What the model is not sure of costs as much as it may miss by: the root of the mean square.
        """
        patterns = [self._outcomes.pattern(history, base, theta, self._k) for theta in thetas]
        costs, stds = np.full((2, len(thetas)), np.nan)
        unit = self._scale.rms * self.context.cost_mask
        for n, found in enumerate(asker.outcomes(patterns)):
            if found is not None:
                std = 0.0 if found.std is None else float(np.linalg.norm(found.std * unit))
                costs[n] = np.hypot(np.linalg.norm(found.error * unit), std)
                stds[n] = np.nan if found.std is None else std
        return costs, stds

    @cached_property
    def _outcomes(self) -> OutcomePatterns:
        return OutcomePatterns(self.context.dataset, self._scale, self.context.goal)
