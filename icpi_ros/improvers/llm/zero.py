"""The in-weights baseline of ICPI: the task is described, no example is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from icpi_ros.core.types import Outcome
from icpi_ros.improvers.llm.options import LlmOptions
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.improvers.options import fixed
from icpi_ros.llm.prompt.pattern import Pattern


@dataclass(frozen=True)
class ZeroOptions(LlmOptions):
    """Options where no example is shown."""

    k: int = fixed(LlmOptions.k)
    order: str = fixed(LlmOptions.order)
    examples: str = fixed(LlmOptions.examples)
    inputs: str = fixed(LlmOptions.inputs)
    describe: bool = True


class LlmZero(Llm):
    """Asks for the adjustment of a trial without examples: only what the model knows already."""

    name: ClassVar[str] = "llm-zero"
    summary: ClassVar[str] = "language model without examples (in-weights baseline of ICPI)"
    Options = ZeroOptions

    def pattern(self, history: Sequence[Outcome]) -> Pattern:
        """Return the query alone, with the run's own pairs if the option history says so."""
        return self._adjustments.pattern(history, self._base(history), 0, self.options.history)
