"""The task in words, the run's trials in words and numbers (Prompted Policy Search).

ProPS, arXiv 2511.21928: the model is told what the parameters mean and asked for the next ones with
a reason.  Examples of the data set are not shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.llm.asking import Asker
from icpi_ros.improvers.llm.options import LlmOptions
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.improvers.llm.words.asked import read_theta, task_in_words, trials_in_words
from icpi_ros.improvers.options import fixed, option
from icpi_ros.llm.client.completer import Message, Prompt, Wire

SYSTEM = "You tune the parameters of a robot's motion from the outcomes of its attempts."
WANTED = (
    "Choose the parameters of the next attempt: others than those tried. Answer with two lines and "
    "nothing else: the first is theta: and the numbers of {names}, as above; the second is reason: "
    "and one short sentence."
)


@dataclass(frozen=True)
class PropsOptions(LlmOptions):
    """Options where no example is shown and the model answers in words, in a chat."""

    k: int = fixed(LlmOptions.k)
    features: str = fixed(LlmOptions.features)
    order: str = fixed(LlmOptions.order)
    examples: str = fixed(LlmOptions.examples)
    inputs: str = fixed(LlmOptions.inputs)
    numbers: str = fixed(LlmOptions.numbers)
    history: bool = fixed(True)
    start: str = fixed(LlmOptions.start)
    wire: str = fixed(Wire.TURNS.value)
    digits: int = fixed(LlmOptions.digits)
    describe: bool = fixed(True)
    samples: int = fixed(1)
    fuse: str = fixed(LlmOptions.fuse)
    logprobs: int = fixed(0)
    words: int = option(120, "token limit of a reply", low=16, high=10_000)


class LlmProps(Llm):
    """Asks for the next theta in words; ``details`` gets what was said."""

    name: ClassVar[str] = "llm-props"
    summary: ClassVar[str] = "language model told the task and its trials in words (ProPS)"
    Options = PropsOptions
    fuses: ClassVar[bool] = False
    options: PropsOptions

    def prompt(self, history: Sequence[Outcome]) -> Prompt:
        """Return the prompt that a proposal for ``history`` sends first."""
        return self._proposal(history, "")

    def _ask(self, history: Sequence[Outcome], asker: Asker, details: dict[str, Any]) -> Proposal:
        return self._proposed(history, asker, "")

    def _proposed(self, history: Sequence[Outcome], asker: Asker, advice: str) -> Proposal:
        """Return the model's proposal, after ``advice`` if there is any.

        Raises:
            CompletionFailed: no usable answer.
        """
        space = self.context.space

        def read(text: str) -> Array:
            return read_theta(text, space.names)

        def accept(theta: Array) -> Array:
            self._require_near(space.normalise(theta))  # of the middle of the box
            return self._untried(theta, history)

        prompt = self._proposal(history, advice)
        theta = asker.answer(prompt, "theta", read, space.dim, self.options.words, accept)
        return Proposal(theta, self.name)

    def _proposal(self, history: Sequence[Outcome], advice: str) -> Prompt:
        names = ", ".join(self.context.space.names)
        return self._chat(history, *filter(None, (advice, WANTED.format(names=names))))

    def _chat(self, history: Sequence[Outcome], *more: str) -> Prompt:
        """Return the task, the trials and ``more`` as a chat."""
        told = (task_in_words(self.context), trials_in_words(history, self.context.space), *more)
        messages: tuple[Message, ...] = (
            {"role": "system", "content": SYSTEM},
            {"role": "user", "content": "\n\n".join(told)},
        )
        return Prompt(Wire.TURNS, messages)
