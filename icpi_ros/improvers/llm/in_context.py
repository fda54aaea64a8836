"""The model of ``icpi serve``, fed with numbers: measures the loss of ``llm`` by its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.types import Outcome, Proposal
from icpi_ros.improvers.llm.pattern import PatternImprover
from icpi_ros.llm.prompt.completion import complete


class InContext(PatternImprover):
    """Completes the same pattern as ``llm``, as floats; no server, no text.

    ``llm`` through ``icpi serve`` against this one measures the fidelity of prompt and tokens.
    """

    name: ClassVar[str] = "in-context"
    summary: ClassVar[str] = "completes the same examples as llm, as numbers; no server"

    def _answer(
        self, history: Sequence[Outcome], rng: np.random.Generator, details: dict[str, Any]
    ) -> Proposal:
        outputs = complete(self.pattern(history)).mean
        return Proposal(self._accepted(self._base(history), outputs, history), self.name)
