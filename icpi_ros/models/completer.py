"""The completer seam: chat messages in, text and usage out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

Message: TypeAlias = dict[str, str]
"""A chat message: ``role`` ("system", "user" or "assistant") and ``content``."""


@dataclass(frozen=True)
class Completion:
    """What a model answered.

    Attributes:
        text: the reply.
        usage: tokens as far as the server told: ``prompt_tokens``, ``completion_tokens``,
            ``cached_tokens``; empty = unknown.
        latency: wall time, retries included [s].
        model: the model that answered, as the server calls it.
    """

    text: str
    usage: Mapping[str, int] = field(default_factory=dict)
    latency: float = 0.0
    model: str = ""


class Completer(Protocol):
    """A sequence model behind some wire.

    Implementations answer or fail within their own wall-clock deadline, and never let a key
    into a text, a log or an exception.
    """

    def complete(self, messages: Sequence[Message]) -> Completion:
        """Return the model's completion.

        Raises:
            CompletionFailed: no usable answer; the message is one line that says why.
        """
        ...
