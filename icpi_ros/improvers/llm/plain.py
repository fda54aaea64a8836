"""ICPI as published: a language model completes the sequence of retrieved examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import Context
from icpi_ros.improvers.llm.asking import Asker
from icpi_ros.improvers.llm.options import LlmOptions
from icpi_ros.improvers.llm.pattern import PatternImprover
from icpi_ros.llm.client.budget import Meter
from icpi_ros.llm.client.completer import Completer, Message
from icpi_ros.llm.connect import connect, require_answer
from icpi_ros.llm.prompt.text import PromptWriter, describe
from icpi_ros.llm.prompt.tokens import NumberFormat


class Llm(PatternImprover):
    """Asks a model behind any OpenAI-compatible endpoint; a base for its variants.

    The latest trial and not the best one is adjusted, as ICPI states it: theta_{i+1} = theta_i +
    dtheta_i.
    """

    name: ClassVar[str] = "llm"
    summary: ClassVar[str] = "language model behind any OpenAI-compatible endpoint (ICPI)"
    asks_model: ClassVar[bool] = True
    Options = LlmOptions
    options: LlmOptions

    def __init__(
        self, context: Context, completer: Completer | None = None, proposes: bool = True
    ) -> None:
        """Check the options, set up the client and the context; no network yet.

        Args:
            context: of the run.
            completer: the model; None = as the options say.
            proposes: False = only :meth:`messages` is wanted.

        Raises:
            UsageError: a wrong option, a file that cannot be used, or too few examples.
        """
        self._given = completer
        super().__init__(context, proposes)
        self._writer = self._make_writer(NumberFormat(self.options.digits))

    @classmethod
    def require_model(cls, options: Mapping[str, Any]) -> None:
        """See :meth:`Improver.require_model`."""
        chosen = cls.chosen(options)
        connect(chosen.choice, Meter(chosen.budget))  # what needs no network comes first
        require_answer(chosen.choice, chosen.deadline)

    def _get_ready(self) -> None:
        self._meter = Meter(self.options.budget, self.context.spent)
        self._completer = self._given or connect(self.options.choice, self._meter)
        super()._get_ready()

    def messages(self, history: Sequence[Outcome]) -> tuple[Message, ...]:
        """Return the chat messages that a proposal for ``history`` sends first."""
        return self._writer.messages(self.pattern(history))

    def _make_writer(self, numbers: NumberFormat) -> PromptWriter:
        if not self.options.describe:
            return PromptWriter(numbers)
        context, unit = self.context, numbers.encode(np.ones(1))
        text = describe(
            context.dataset.task, context.space, self._index.scale, unit, self._features.raw
        )
        return PromptWriter(numbers, text)

    def _answer(
        self, history: Sequence[Outcome], rng: np.random.Generator, details: dict[str, Any]
    ) -> Proposal:
        """Ask within the deadline; whatever comes of it, the questions are in ``details``.

        ``details`` gets ``model``, ``spent`` (:class:`icpi_ros.llm.client.budget.Spending`) and
        ``exchanges``: ``purpose``, ``messages``, ``replies``, ``format``, ``tries``, ``refused``.
        """
        asker = Asker(self._completer, self._writer, self.options, self._meter, rng)
        try:
            return self._ask(history, asker, details)
        finally:
            details |= asker.details()

    def _ask(self, history: Sequence[Outcome], asker: Asker, details: dict[str, Any]) -> Proposal:
        """Return the model's proposal; variants differ in this.

        Raises:
            CompletionFailed: no usable answer.
        """
        base = self._base(history)
        thetas = self._thetas(history, base, asker)
        return Proposal(thetas[0], self.name)

    def _thetas(self, history: Sequence[Outcome], base: Outcome, asker: Asker) -> list[Array]:
        """Return the acceptable answers ``(d,)`` to :meth:`pattern`, at least one."""

        def accept(outputs: Array) -> Array:
            return self._accepted(base, outputs, history)

        return asker.outputs(self.pattern(history), "adjustment", accept)
