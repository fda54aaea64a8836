"""Numbers as text: scaled integers of fixed width, and how they are found again in a reply."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_ros.errors import CompletionFailed, InvalidValue
from icpi_ros.types import Array

DEFAULT_DIGITS = 4
MAX_REPLY = 20_000
"""Longest answer, after the thinking, that is searched for numbers [characters]."""
ANSWER = "output"
"""Key of the answer in a JSON reply."""

_NUMBER = r"[-+\u2212]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?"
_NOT_FINITE = r"[-+\u2212]?(?:nan|inf(?:inity)?)"
# Atomic (?>...): linear time on any text.
_TOKEN = re.compile(rf"(?<![\w.])(?>{_NUMBER}|{_NOT_FINITE})(?!\.?\w)", re.IGNORECASE)
_INTEGER = re.compile(r"[-+\u2212]?[0-9]+\.?(?:[eE]\+?[0-9]+)?")  # "." ends a sentence
_LIST = re.compile(r"\[([^\[\]]*)\]")
_OBJECT = re.compile(r"\{[^{}]*\}")
_BETWEEN = re.compile(r"[\s,;\"']*(?:and)?[\s,;\"']*")
"""What may stand between the numbers of an answer in prose."""
_ONLY_NUMBERS = re.compile(r"[-+\u2212.0-9eE,;\s\"']*")


@dataclass(frozen=True)
class NumberFormat:
    """Scaled numbers as signed integers: 0.512 is ``+0512`` with 3 digits.

    Larger numbers simply get longer (nothing is clipped); numbers within +-10 have one width.

    Attributes:
        digits: decimal places kept, 1 to 9; the quantum is 10^-digits of the scaled unit, that
            is of half a parameter's range, or of an error dimension's RMS.
    """

    digits: int = DEFAULT_DIGITS

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

    @property
    def width(self) -> int:
        """Characters of a number within +-10: the sign, a digit, the decimal places."""
        return self.digits + 2

    def encode(self, values: Array) -> str:
        """Write scaled, finite ``(n,)`` values, separated by spaces."""
        form = f"%+0{self.width}d"
        return " ".join([form % round(count) for count in (values * 10**self.digits).tolist()])

    def decode(self, numbers: Sequence[float]) -> Array:
        """Return the scaled values ``(n,)`` of integers read from text."""
        return np.asarray(np.array(numbers, dtype=np.float64) / 10**self.digits)


def read_numbers(reply: str, count: int) -> list[float]:
    """Find the ``count`` integers that a reply answers with.

    Looked for, in this order: the last JSON object with ``output``; the last bracketed list of
    ``count`` numbers; the last line, or part of a line after "->", of ``count`` numbers and no
    words; the only numbers of the text, side by side.  Reasoning up to </think>, code fences,
    quotes and signs in Unicode do not matter.  Decimals are refused: 0.512 would be taken for
    0.000512.

    Raises:
        CompletionFailed: anything else; the message is one line.
    """
    text = reply.rpartition("</think>")[2]
    if len(text) > MAX_REPLY:
        raise CompletionFailed(f"the reply has {len(text)} characters: more than {MAX_REPLY}")
    if any(text.count(mark) != text.count(end) for mark, end in ("[]", "{}")):
        # The last number of a reply that was cut off would be a wrong one.
        raise CompletionFailed(f"the reply is cut off or broken: {excerpt(reply)!r}")
    tokens = _tokens(text, count)
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


def _tokens(text: str, count: int) -> list[str]:
    """Return the numbers that answer, as written; any number of them if none fits."""
    answer = _answer(text)
    if answer is not None:
        return _TOKEN.findall(answer)
    lines = [line.rpartition("->")[2] for line in text.splitlines()]
    candidates = filter(_ONLY_NUMBERS.fullmatch, [*_LIST.findall(text)[::-1], *lines[::-1]])
    found = next((f for f in map(_TOKEN.findall, candidates) if len(f) == count), None)
    return _side_by_side(text) if found is None else found


def _side_by_side(text: str) -> list[str]:
    """Return all numbers of a text.

    Raises:
        CompletionFailed: words stand between them: they may mean anything.
    """
    tokens = list(_TOKEN.finditer(text))
    for one, other in itertools.pairwise(tokens):
        if not _BETWEEN.fullmatch(text, one.end(), other.start()):
            raise CompletionFailed(f"the reply has words between its numbers: {excerpt(text)!r}")
    return [token[0] for token in tokens]


def _answer(text: str) -> str | None:
    """Return what the last JSON object with ``output`` says there, as text; None without objects.

    Raises:
        CompletionFailed: there are objects, and none has ``output``.
    """
    objects = [value for value in map(_parsed, _OBJECT.findall(text)) if value is not None]
    for value in reversed(objects):
        if ANSWER in value:
            return _joined(value[ANSWER])
    if objects:
        raise CompletionFailed(f"the reply's JSON has no {ANSWER!r}: {excerpt(text)!r}")
    return None


def _parsed(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text, parse_int=str, parse_float=str, parse_constant=str)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _joined(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def excerpt(text: str, length: int = 60) -> str:
    """Return the beginning of ``text`` on one line, for messages."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 3] + "..."
