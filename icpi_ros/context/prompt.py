"""Prompt and reply: examples as text, numbers as scaled integers of fixed width.

ICPI completes sequences in context: every example is one line "input -> output" and the model
completes the last line.  The stable, task-agnostic part comes first (it can be cached by the
server), then the examples, nearest last, then the query.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from icpi_ros.context.retrieval import Scale
from icpi_ros.data.dataset import Dataset
from icpi_ros.errors import CompletionFailed, InvalidValue
from icpi_ros.models.completer import Message
from icpi_ros.types import Array, Outcome

INSTRUCTION = (
    "You complete number sequences. Each line maps an input to an output: the input has two "
    "groups of signed integers separated by '|', the output is one group. The outputs follow a "
    "smooth pattern of the inputs, best shown by the last examples. Complete the last line. "
    "Answer with its output integers only, separated by spaces: no words, no explanation."
)
MAX_REPLY = 20_000
"""Longest answer, after the thinking, that is searched for numbers [characters]."""

_NUMBER = r"[-+\u2212]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_NOT_FINITE = r"[-+\u2212]?(?:nan|inf(?:inity)?)"
# Atomic (?>...): linear time on any text.
_TOKEN = re.compile(rf"(?<![\w.])(?>{_NUMBER}|{_NOT_FINITE})(?!\.?\w)", re.IGNORECASE)
_INTEGER = re.compile(r"[-+\u2212]?[0-9]+\.?(?:[eE]\+?[0-9]+)?")  # "." ends a sentence
_LIST = re.compile(r"\[([^\[\]]*)\]")
_ONLY_NUMBERS = re.compile(r"[-+\u2212.0-9eE,;\s\"']*")


@dataclass(frozen=True)
class NumberFormat:
    """Scaled numbers as signed integers: 0.512 is ``+0512`` with 3 digits.

    Larger numbers simply get longer (nothing is clipped); numbers within +-10 have one width.

    Attributes:
        digits: decimal places kept, 1 to 9; the quantum is 10^-digits of the scaled unit, that
            is of half a parameter's range, or of an error dimension's RMS.
    """

    digits: int = 3

    def __post_init__(self) -> None:
        """Refuse formats that a float cannot fill.

        Raises:
            InvalidValue: digits out of range.
        """
        if not 1 <= self.digits <= 9:
            raise InvalidValue(f"digits = {self.digits} is not allowed: 1 to 9")

    @property
    def quantum(self) -> float:
        """Distance of neighbouring representable numbers, in scaled units."""
        return float(10.0**-self.digits)

    def encode(self, values: Array) -> str:
        """Write scaled, finite ``(n,)`` values, separated by spaces."""
        width = self.digits + 2  # sign and the digit before the point
        counts = (round(float(v) * 10**self.digits) for v in values)
        return " ".join(f"{count:+0{width}d}" for count in counts)

    def decode(self, numbers: Sequence[float]) -> Array:
        """Return the scaled values ``(n,)`` of integers read from text."""
        return np.asarray(np.array(numbers, dtype=np.float64) / 10**self.digits)


@dataclass(frozen=True)
class PromptWriter:
    """Turns retrieved examples and the run's trial into chat messages.

    Attributes:
        scale: unit-free coordinates of theta, error and dtheta.
        numbers: how a scaled number is written.
    """

    scale: Scale
    numbers: NumberFormat = field(default_factory=NumberFormat)

    def messages(
        self, dataset: Dataset, nearest: NDArray[np.intp], query: Outcome
    ) -> list[Message]:
        """Return the chat messages that ask for the adjustment of ``query``.

        Args:
            dataset: the examples.
            nearest: ``(k,)`` indices of the retrieved examples, nearest first.
            query: the trial to improve on.
        """
        lines = [
            f"{self.input_text(dataset.theta[n], dataset.error[n])} -> "
            f"{self.numbers.encode(self.scale.dtheta(dataset.dtheta[n]))}"
            for n in nearest[::-1]
        ]
        lines.append(f"{self.input_text(query.theta, query.error)} ->")
        return [
            {"role": "system", "content": INSTRUCTION},
            {"role": "user", "content": "\n".join(lines)},
        ]

    def input_text(self, theta: Array, error: Array) -> str:
        """Write an input: theta ``(d,)`` and relative error ``(m,)``."""
        scale = self.scale
        # The mask is for distances; the model sees every error dimension.
        return (
            f"{self.numbers.encode(scale.theta(theta))} | {self.numbers.encode(error / scale.rms)}"
        )

    def dtheta(self, reply: str) -> Array:
        """Read the adjustment ``(d,)`` [units of the space] from a model's reply.

        Raises:
            CompletionFailed: the reply does not hold exactly d integers.
        """
        numbers = read_numbers(reply, self.scale.space.dim)
        dtheta = self.scale.unscale_dtheta(self.numbers.decode(numbers))
        if not np.isfinite(dtheta).all():
            raise CompletionFailed("the reply holds a number that is not finite")
        return dtheta


def read_numbers(reply: str, count: int) -> list[float]:
    """Find the ``count`` integers that a reply answers with.

    Looked for, in this order: the last bracketed list of ``count`` numbers; the last line, or
    part of a line after "->", of ``count`` numbers and no words; the whole text.  Reasoning up to
    </think>, code fences, quotes and signs in Unicode do not matter.
    Decimals are refused: 0.512 would be taken for 0.000512.

    Raises:
        CompletionFailed: anything else; the message is one line.
    """
    text = reply.rpartition("</think>")[2]
    if len(text) > MAX_REPLY:
        raise CompletionFailed(f"the reply has {len(text)} characters: more than {MAX_REPLY}")
    lines = [line.rpartition("->")[2] for line in text.splitlines()]
    candidates = filter(_ONLY_NUMBERS.fullmatch, [*_LIST.findall(text)[::-1], *lines[::-1]])
    found = next((f for f in map(_TOKEN.findall, candidates) if len(f) == count), None)
    tokens = _TOKEN.findall(text) if found is None else found
    if len(tokens) != count:
        raise CompletionFailed(
            f"the reply holds {len(tokens)} numbers instead of {count}: {excerpt(reply)!r}"
        )
    values = [float(token.replace("\u2212", "-")) for token in tokens]
    if not np.isfinite(values).all():
        raise CompletionFailed(f"the reply holds a number that is not finite: {excerpt(reply)!r}")
    if not all(map(_INTEGER.fullmatch, tokens)):
        raise CompletionFailed(f"the reply holds a number that is no integer: {excerpt(reply)!r}")
    return values


def excerpt(text: str, length: int = 60) -> str:
    """Return the beginning of ``text`` on one line, for messages."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 3] + "..."
