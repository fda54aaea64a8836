"""ICPI with several answers per step, fused robustly; their std is the uncertainty."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from icpi_ros.improvers.llm.options import LlmOptions
from icpi_ros.improvers.llm.plain import Llm


@dataclass(frozen=True)
class SampleOptions(LlmOptions):
    """Other defaults."""

    samples: int = 8
    temperature: float = 0.7


class LlmSamples(Llm):
    """Fuses 8 answers, where ``llm`` has one of a large model and 5 of a small one."""

    name: ClassVar[str] = "llm-samples"
    summary: ClassVar[str] = "language model, several samples per step fused robustly"
    Options = SampleOptions
    options: SampleOptions
