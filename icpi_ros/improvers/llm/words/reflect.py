"""A critic that sees the object's path writes what to change, then a proposal follows.

R2PO, arXiv 2605.08315: two questions per proposal, both in words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.core.types import Outcome, Proposal
from icpi_ros.improvers.llm.asking import Asker
from icpi_ros.improvers.llm.words.asked import path_in_words
from icpi_ros.improvers.llm.words.props import LlmProps, PropsOptions
from icpi_ros.improvers.options import option
from icpi_ros.llm.client.completer import Prompt
from icpi_ros.llm.client.thinking import UnfinishedThought, after_thoughts

CRITIC = (
    "You are a critic. Say in at most three short sentences what went wrong in the latest attempt "
    "and which parameters must become larger or smaller, and by how much. Give no parameters yet."
)
MAX_CRITIQUE = 2000
"""Most of a critique that a proposal is shown [characters]."""


@dataclass(frozen=True)
class ReflectOptions(PropsOptions):
    """Options of the critic."""

    points: int = option(
        8, "points of the object's path that the critic sees; 0 = none", low=0, high=100
    )


class LlmReflect(LlmProps):
    """Asks a critic, then for the next theta; ``details`` gets ``critique``."""

    name: ClassVar[str] = "llm-reflect"
    summary: ClassVar[str] = "language model that criticises its trials before it proposes (R2PO)"
    Options = ReflectOptions
    options: ReflectOptions

    def prompt(self, history: Sequence[Outcome]) -> Prompt:
        """Return the prompt that a proposal for ``history`` sends first: the critic's."""
        path = path_in_words(history[-1].path, self.options.points)
        return self._chat(history, *filter(None, (path, CRITIC)))

    def _ask(self, history: Sequence[Outcome], asker: Asker, details: dict[str, Any]) -> Proposal:
        critique = asker.answer(self.prompt(history), "critique", _said, 0, self.options.words)
        details["critique"] = critique
        return self._proposed(history, asker, f"A critic of the latest attempt says:\n{critique}")


def _said(reply: str) -> str:
    """Return what a reply says behind thoughts that ended.

    Raises:
        CompletionFailed: nothing.
    """
    try:
        text = after_thoughts(reply).strip()
    except UnfinishedThought:
        text = ""
    if not text:
        raise CompletionFailed("the critic said nothing behind its thoughts")
    return text[:MAX_CRITIQUE]
