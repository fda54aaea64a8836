"""Several samples per step, fused robustly; their spread is the uncertainty.

Robust fusion of samples: Robust Instant Policy (Student-t); self-consistency.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.redact import jsonable
from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.llm.asking import Asker
from icpi_ros.improvers.llm.options import LlmOptions
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.improvers.options import option
from icpi_ros.llm.prompt.fusion import fuse


@dataclass(frozen=True)
class SampleOptions(LlmOptions):
    """Options of the fusion, and other defaults."""

    samples: int = 8
    temperature: float = 0.7
    fuse: str = option("median", "how the samples are fused", choices=("median", "student-t"))


class LlmSamples(Llm):
    """Fuses ``samples`` answers; ``details`` gets ``samples`` and ``spread`` [units of theta]."""

    name: ClassVar[str] = "llm-samples"
    summary: ClassVar[str] = "language model, several samples per step fused robustly"
    Options = SampleOptions
    options: SampleOptions

    def _ask(self, history: Sequence[Outcome], asker: Asker, details: dict[str, Any]) -> Proposal:
        base = self._base(history)
        scale = self._index.scale

        def accept(outputs: Array) -> Array:  # a repeat is judged after the fusion
            self._require_near(outputs)
            return outputs

        found = np.array(asker.outputs(self.pattern(history), "adjustment", accept))
        place, spread = fuse(found, self.options.fuse)
        details["samples"] = (base.theta + scale.unscale_dtheta(found)).tolist()
        details["spread"] = jsonable(scale.unscale_dtheta(spread))
        return Proposal(self._accepted(base, place, history), self.name)
