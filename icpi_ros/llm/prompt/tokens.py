"""Numbers as text: scaled integers of fixed width, and how they are found again in a reply."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_ros.core.errors import CompletionFailed, invalid
from icpi_ros.core.types import Array

DEFAULT_DIGITS = 4
MAX_REPLY = 20_000
"""Longest answer, after the thinking, that is searched for numbers [characters]."""
ANSWER = "output"
"""Key of the answer in a JSON reply."""

_INTEGER = re.compile(r"[-+]?[0-9]{1,300}(?:[eE]\+?[0-9]{1,3})?")
_NUMBER = re.compile(r"[-+]?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?|nan|inf(?:inity)?)", re.IGNORECASE)
_OBJECT = re.compile(r"\{[^{}]*\}")
_MARK = re.compile(r"(?:->|\boutputs?\b(?:\s+(?:is|are))?)\s*[:=]?", re.IGNORECASE)
"""Announcement of an answer in prose; the last one of a line counts."""
_SIGNED = re.compile(r"(?<![\w.+-])(?:\+|(-))?0*([0-9]+)(?![\w.])")
_FENCE = re.compile(r"^[ \t]*```\w*[ \t]*$", re.MULTILINE)
_THOUSANDS = re.compile(r"\d,\d")


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
            text = f"digits = {self.digits} is not allowed: 1 to 9"
            raise invalid(text, "digits", self.digits, (1, 9))

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
    """Find the ``count`` integers that a reply answers with, or nothing: no guess reaches an arm.

    Understood are, after reasoning up to </think>: a JSON object whose ``output`` is a list, or a
    text, of just these integers; numbers alone in the text, or on one line, in brackets or not; the
    rest of a line after "->" or "output is".  If the text begins with the numbers and goes on with
    lines of its own invention ("... ->"), the first line counts.  Refused are replies that hold
    several different answers, decimals (0.512 would be taken for 0.000512), and what was cut off.

    Raises:
        CompletionFailed: anything else; the message is one line.
    """
    text = reply.rpartition("</think>")[2].replace("\u2212", "-")
    if len(text) > MAX_REPLY:
        raise CompletionFailed(f"the reply has {len(text)} characters: more than {MAX_REPLY}")
    if any(text.count(mark) != text.count(end) for mark, end in ("[]", "{}")):
        # The last number of a reply that was cut off would be a wrong one.
        raise CompletionFailed(f"the reply is cut off or broken: {excerpt(reply)!r}")
    words = _words(text, count, reply)
    if len(words) != count:
        raise CompletionFailed(
            f"the reply holds {len(words)} numbers instead of {count}: {excerpt(reply)!r}"
        )
    if not all(map(_INTEGER.fullmatch, words)):
        raise CompletionFailed(f"the reply holds what is no integer: {excerpt(reply)!r}")
    values = [float(word) for word in words]
    if not np.isfinite(values).all():
        raise CompletionFailed(f"the reply holds a number that is not finite: {excerpt(reply)!r}")
    return values


def _words(text: str, count: int, reply: str) -> list[str]:
    """Return the numbers of the answer, as written.

    Raises:
        CompletionFailed: there are several answers, or objects without any.
    """
    answers = _answers(text)
    if answers is None:
        answers = _lines(_FENCE.sub("", text), count)
    if not answers:
        raise CompletionFailed(f"the reply holds no answer: {excerpt(reply)!r}")
    if any(answer != answers[0] for answer in answers):
        raise CompletionFailed(f"the reply holds several answers: {excerpt(reply)!r}")
    return answers[0]


def _answers(text: str) -> list[list[str]] | None:
    """Return the values under ``output`` of JSON objects; None if there are no objects."""
    objects = [value for value in map(_parsed, _OBJECT.findall(text)) if value is not None]
    if not objects:
        return None
    return [_entries(value[ANSWER]) for value in objects if ANSWER in value]


def _entries(value: Any) -> list[str]:
    """Return the entries of a list, or the words of a text; what is no number stays what it is."""
    if isinstance(value, list):
        return [entry.strip() if isinstance(entry, str) else repr(entry) for entry in value]
    return _split(value) if isinstance(value, str) else [repr(value)]


def _parsed(text: str) -> dict[str, Any] | None:
    """Return a JSON object; numbers written as in the prompt (+0050) are no JSON, but meant."""
    for written in (text, _SIGNED.sub(r"\1\2", text)):
        try:
            value = json.loads(written, parse_int=str, parse_float=str, parse_constant=str)
        except (ValueError, RecursionError):
            continue
        return value if isinstance(value, dict) else None
    return None


def _lines(text: str, count: int) -> list[list[str]]:
    """Return the answers of a text without objects: all of it, or its lines of numbers."""
    whole = _numbers(text)
    if len(whole) == count:
        return [whole]
    lines = [line for line in text.splitlines() if line.strip()]
    first = _numbers(lines[0]) if lines else []
    if len(first) == count and all("->" in line for line in lines[1:]):
        return [first]  # it went on with a pattern of its own
    found = [_numbers(_MARK.split(line)[-1]) for line in lines]
    return [words for words in found if len(words) == count] or ([whole] if whole else [])


def _numbers(text: str) -> list[str]:
    """Return the words of a text that holds numbers and nothing else; [] otherwise."""
    bare = text.strip().removesuffix(".").rstrip()
    if "[" not in bare and _THOUSANDS.search(bare):
        return []  # 1,234 is one number or two
    if bare[:1] == "[" and bare[-1:] == "]":
        bare = bare[1:-1]
    words = _split(bare)
    return words if all(map(_NUMBER.fullmatch, words)) else []


def _split(text: str) -> list[str]:
    """Return the words of a text, without separators and quotes around them."""
    return [word.strip("\"'") for word in re.split(r"[\s,;]+|\band\b", text) if word.strip("\"'")]


def excerpt(text: str, length: int = 60) -> str:
    """Return the beginning of ``text`` on one line, for messages."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 3] + "..."
