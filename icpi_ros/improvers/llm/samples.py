"""Several samples per step, fused robustly; their std is the uncertainty.

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

FREEDOM = 3.0
"""Degrees of freedom of the Student-t distribution."""
ROUNDS = 20
MAD_TO_STD = 1.4826
"""Standard deviation of normal samples per median absolute deviation."""


def fuse(samples: Array, how: str) -> tuple[Array, Array]:
    """Return location ``(d,)`` and std ``(d,)`` of samples ``(n, d)``, robustly.

    The std is 1.4826 times the median absolute deviation: that of one sample, not of the
    location; NaN for one sample, which has none.

    Args:
        samples: at least one.
        how: ``median``, or ``student-t``: the maximum-likelihood location of a Student-t
            distribution with 3 degrees of freedom and that std (Lange, Little and Taylor 1989).
    """
    middle = np.median(samples, axis=0)
    std = MAD_TO_STD * np.median(np.abs(samples - middle), axis=0)
    if len(samples) == 1:
        return middle, np.full_like(middle, np.nan)
    if how == "student-t":
        return _student_t(samples, middle, std), std
    return middle, std


def _student_t(samples: Array, start: Array, std: Array) -> Array:
    """Return the location by iteratively reweighted means, a fixed number of rounds."""
    place = start
    for _ in range(ROUNDS):
        far = (samples - place) / np.maximum(std, 1e-12)
        weights = (FREEDOM + 1.0) / (FREEDOM + far**2)
        place = np.sum(weights * samples, axis=0) / np.sum(weights, axis=0)
    return np.asarray(place)


@dataclass(frozen=True)
class SampleOptions(LlmOptions):
    """Options of the fusion, and other defaults."""

    samples: int = 8
    temperature: float = 0.7
    fuse: str = option("median", "how the samples are fused", choices=("median", "student-t"))


class LlmSamples(Llm):
    """Fuses ``samples`` answers.

    ``details`` gets ``samples`` and ``spread``, their std [units of theta].
    """

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
        place, std = fuse(found, self.options.fuse)
        details["samples"] = (base.theta + scale.unscale_dtheta(found)).tolist()
        details["spread"] = jsonable(scale.unscale_dtheta(std))
        return Proposal(self._accepted(base, place, history), self.name)
