"""ICPI with the expectation of the answer in place of its most likely digits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from icpi_ros.improvers.llm.options import LlmOptions
from icpi_ros.improvers.llm.plain import Llm


@dataclass(frozen=True)
class ExpectOptions(LlmOptions):
    """Other defaults."""

    logprobs: int = 10


class LlmExpect(Llm):
    """Averages one answer's numbers by the probabilities of the tokens that could have come."""

    name: ClassVar[str] = "llm-expect"
    summary: ClassVar[str] = "language model, numbers averaged by the probabilities of their tokens"
    Options = ExpectOptions
    fuses: ClassVar[bool] = False
    options: ExpectOptions
