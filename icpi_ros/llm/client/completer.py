"""The completer seam: a prompt in, texts and what they cost out."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol, TypeAlias

from icpi_ros.llm.client.budget import Spending
from icpi_ros.llm.client.token_count import Tokeniser, answer_tokens, count_chat, count_tokens

Message: TypeAlias = dict[str, str]
"""A chat message: ``role`` ("system", "user" or "assistant") and ``content``."""


class Wire(StrEnum):
    """Ways to put a pattern to a server.

    ``completion`` sends bare lines to complete (``/completions``), ``turns`` a chat with the
    examples as its turns, ``json`` a chat with an instruction that is answered with JSON.
    """

    COMPLETION = "completion"
    TURNS = "turns"
    JSON = "json"


WIRES = tuple(Wire)
UNLIMITED_WIDTH = 12
"""Width of the longest number where none is said to be the largest [characters]."""


@dataclass(frozen=True)
class Prompt:
    """A prompt as one wire carries it.

    Attributes:
        wire: that carries it.
        messages: the chat; empty for ``completion``.
        text: to be completed; empty for the others.
    """

    wire: Wire
    messages: tuple[Message, ...] = ()
    text: str = ""

    @property
    def contents(self) -> tuple[str, ...]:
        """All its texts: what a model reads, but for roles."""
        return (self.text,) if self.text else tuple(m["content"] for m in self.messages)

    def tokens(self, kind: Tokeniser) -> int:
        """Return the estimated tokens of it, framing included."""
        return count_tokens(self.text, kind) if self.text else count_chat(self.messages, kind)


@dataclass(frozen=True)
class Token:
    """A token of a reply and what could have stood in its place.

    Attributes:
        text: of the token.
        options: the likeliest tokens there, itself among them if it is one: text and natural
            logarithm of the probability.
    """

    text: str
    options: tuple[tuple[str, float], ...]


@dataclass(frozen=True)
class CompletionRequest:
    """Request to a model.

    Attributes:
        prompt: to be answered.
        numbers: integers that the reply should hold; servers that can are held to
            ``{"output": [integers]}`` of that length if the prompt asks for JSON.
        samples: independent replies wanted, at least 1.
        temperature: of sampling, a factor; None = the server's own default.
        seed: of sampling, for servers that take one; None = none is sent.
        largest: integer that none of the reply may exceed, with either sign, for servers that can
            be held to it; None = no limit.  It is no part of what distinguishes requests.
        otherwise: the same question over another wire, for a server that does not serve the
            first; None = there is none.  It is no part of what distinguishes requests.
        logprobs: likeliest tokens wanted at every place of the reply, with their probabilities,
            from servers that give them; 0 = none.
        words: token limit of a reply in words; 0 = the reply has nothing but the numbers.
    """

    prompt: Prompt
    numbers: int
    samples: int = 1
    temperature: float | None = None
    seed: int | None = None
    largest: int | None = None
    otherwise: Prompt | None = None
    logprobs: int = 0
    words: int = 0

    def answer_tokens(self, kind: Tokeniser) -> int:
        """Return a token limit that leaves room for the numbers, or for the words."""
        if self.words:
            return self.words
        # A padded number can be a digit longer than the largest one, and has its sign.
        width = UNLIMITED_WIDTH if self.largest is None else len(str(self.largest)) + 2
        return answer_tokens(self.numbers, width, kind)


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
        wire: that was used.
        tokens: of each text, where they were asked for; None = the server did not tell them.
    """

    texts: tuple[str, ...]
    spent: Spending = field(default_factory=Spending)
    model: str = ""
    format: str = "text"
    tries: tuple[str, ...] = ()
    replayed: bool = False
    wire: Wire = Wire.JSON
    tokens: tuple[tuple[Token, ...] | None, ...] = ()


class Completer(Protocol):
    """A sequence model behind some wire.

    Implementations answer or fail by a wall-clock deadline, and never let a key into a text, a
    log or an exception.
    """

    def complete(self, request: CompletionRequest, until: float) -> Completion:
        """Return the model's completion until a deadline, ``until`` [s of monotonic time].

        Raises:
            CompletionFailed: no usable answer; the message is one line with the reason.  What it
                cost nevertheless is on the meter and in ``details``.
            BudgetSpent: the budget allows no further call; ``details`` as well.
        """
        ...
