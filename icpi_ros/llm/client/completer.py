"""The completer seam: chat messages in, texts and what they cost out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

from icpi_ros.llm.client.budget import Spending

Message: TypeAlias = dict[str, str]
"""A chat message: ``role`` ("system", "user" or "assistant") and ``content``."""


@dataclass(frozen=True)
class CompletionRequest:
    """Request to a model.

    Attributes:
        messages: the chat.
        numbers: integers that the reply should hold; servers that can are held to
            ``{"output": [integers]}`` of that length.
        samples: independent replies wanted, at least 1.
        temperature: of sampling, a factor; None = the server's own default.
        seed: of sampling, for servers that take one; None = none is sent.
        largest: integer that none of the reply may exceed, with either sign, for servers that can
            be held to it; None = no limit.  It is no part of what distinguishes requests.
    """

    messages: tuple[Message, ...]
    numbers: int
    samples: int = 1
    temperature: float | None = None
    seed: int | None = None
    largest: int | None = None


@dataclass(frozen=True)
class Completion:
    """Answer of a model.

    Attributes:
        texts: the replies, at least one; at most as many as samples were asked for.
        spent: cost of all calls for it, failed ones included.
        model: the model that answered, as the server calls it.
        format: of the reply, one of :data:`icpi_ros.llm.client.formats.FORMATS`: ``json_schema``,
            ``json_object+schema``, ``json_object``, ``text``.
        tries: failures on the way, one line each.
        replayed: True if it comes from a cassette.
    """

    texts: tuple[str, ...]
    spent: Spending = field(default_factory=Spending)
    model: str = ""
    format: str = "text"
    tries: tuple[str, ...] = ()
    replayed: bool = False


class Completer(Protocol):
    """A sequence model behind some wire.

    Implementations answer or fail by a wall-clock deadline, and never let a key into a text, a
    log or an exception.
    """

    def complete(self, request: CompletionRequest, until: float) -> Completion:
        """Return the model's completion until a deadline, ``until`` [s of monotonic time].

        Raises:
            CompletionFailed: no usable answer; the message is one line with the reason.  What it
                cost nevertheless is on the meter.
            BudgetSpent: the budget allows no further call.
        """
        ...
