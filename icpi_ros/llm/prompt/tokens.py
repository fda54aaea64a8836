"""Numbers as text: scaled integers of fixed width, and how they are found again in a reply."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import CompletionFailed, invalid
from icpi_ros.core.types import Array
from icpi_ros.llm.client.objects import MAX_REPLY, find_objects
from icpi_ros.llm.client.thinking import UnfinishedThought, after_thoughts

DEFAULT_DIGITS = 4
ANSWER = "output"
"""Key of the answer in a JSON reply."""

_BLANK, _USUAL_INTEGER = r"[ \t\n\r]*", r"-?(?:0|[1-9][0-9]{0,14})"
_USUAL = re.compile(
    rf'{_BLANK}{{{_BLANK}"{ANSWER}"{_BLANK}:{_BLANK}\['
    rf"((?:{_BLANK}{_USUAL_INTEGER}{_BLANK},)*{_BLANK}{_USUAL_INTEGER}{_BLANK})\]"
    rf"{_BLANK}}}{_BLANK}"
)
"""The JSON that was asked for and nothing else: what most replies are, found at once."""
_INTEGER = re.compile(r"[-+]?[0-9]{1,300}(?:[eE]\+?[0-9]{1,3})?")
_NUMBER = re.compile(r"[-+]?(?:[0-9.]+(?:[eE][-+]?[0-9]+)?|nan|inf(?:inity)?)", re.IGNORECASE)
ARROW = "->"
"""Mark between the inputs and the outputs of a line."""
_MARK = re.compile(r"\boutputs?\b(?:\s+(?:is|are))?\s*[:=]?", re.IGNORECASE)
"""Announcement of an answer in prose; the last one of a line counts."""
NO_NUMBER = "?"
"""Stands for an entry of an answer that is neither a number nor a text."""
_LOOSE = re.compile(rf"[\"']{ANSWER}[\"']\s*:", re.IGNORECASE)
"""Key of an answer outside of any JSON that can be read."""
_FENCE = re.compile(r"^[ \t]*```\w*[ \t]*$", re.MULTILINE)
_MAX_INTEGER = 2.0**63
_THOUSANDS = re.compile(r"\d,\d")


@dataclass(frozen=True)
class NumberFormat:
    """Scaled numbers as integers: 0.512 is ``+0512`` with 3 digits, or ``512`` as JSON writes it.

    Larger numbers simply get longer (nothing is clipped); padded ones within +-10 have one width.

    Attributes:
        digits: decimal places kept, 1 to 9; the quantum is 10^-digits of the scaled unit, that
            is of half a parameter's range, or of an error dimension's RMS.
        padded: with a sign and leading zeros, which JSON does not have.
        ones: with room for a digit before the decimal places, if padded.
    """

    digits: int = DEFAULT_DIGITS
    padded: bool = True
    ones: bool = True

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
        """Characters of a padded number within +-10 (+-1 without ones): sign, digit, places."""
        return self.digits + 1 + self.ones

    def encode(self, values: Array) -> str:
        """Write scaled, finite ``(n,)`` values, separated by spaces."""
        return self.row([values], "")

    def row(self, groups: Sequence[Array], between: str) -> str:
        """Write groups ``(p,)`` of scaled, finite values, ``between`` two groups.

        Without numpy, in which a single row takes longer.
        """
        numbers = [number for group in groups for number in self.integers(group)]
        return between.join(self._form(len(group)) for group in groups) % tuple(numbers)

    def rows(self, groups: Sequence[Array], between: str) -> list[str]:
        """Write the rows of groups ``(n, p)`` of scaled, finite values, ``between`` two groups."""
        row = between.join(self._form(group.shape[1]) for group in groups)
        written = self._written(np.concatenate(groups, axis=1))
        return [row % tuple(numbers) for numbers in written.tolist()]

    def lines(self, inputs: Sequence[Array], between: str, then: str, outputs: Array) -> str:
        """Write rows as :meth:`rows`, each with its outputs ``(n, q)`` behind ``then``.

        All of it is written at once, which takes half as long.
        """
        forms = [self._form(group.shape[1]) for group in (*inputs, outputs)]
        line = between.join(forms[:-1]) + then + forms[-1]
        written = self._written(np.concatenate([*inputs, outputs], axis=1))
        return "\n".join([line] * len(outputs)) % tuple(written.ravel().tolist())

    def _form(self, size: int) -> str:
        """Return the form in which a group of so many numbers is written."""
        return " ".join([f"%+0{self.width}d" if self.padded else "%d"] * size)

    def _written(self, values: Array) -> NDArray[Any]:
        """Return the counts as they are formatted; integers take half as long as floats."""
        counts = self.counts(values)
        return counts.astype(np.int64) if np.abs(counts).max(initial=0.0) < _MAX_INTEGER else counts

    def counts(self, values: Array) -> Array:
        """Return the integers, of the shape of scaled ``values``, that are written for them."""
        return np.asarray(np.rint(values * 10**self.digits))

    def integers(self, values: Array) -> list[int]:
        """Return the integers that are written for scaled, finite ``(n,)`` values."""
        return [round(value * 10**self.digits) for value in values.tolist()]

    def decode(self, numbers: Sequence[float]) -> Array:
        """Return the scaled values ``(n,)`` of integers read from text."""
        return np.asarray(np.array(numbers, dtype=np.float64) / 10**self.digits)


Groups = Sequence[Sequence[float]]
"""Groups of a line's inputs, as integers."""


def answer_text(reply: str) -> str:
    """Return what follows the thoughts of a reply, with minus signs as they are typed.

    Raises:
        CompletionFailed: a thought does not end, or the text is too long.
    """
    try:
        text = after_thoughts(reply).replace("\u2212", "-")
    except UnfinishedThought:
        why = f"the reply ends in an unfinished thought: {excerpt(reply)!r}"
        raise CompletionFailed(why) from None
    if len(text) > MAX_REPLY:
        raise CompletionFailed(f"the reply has {len(text)} characters: more than {MAX_REPLY}")
    return text


def read_numbers(reply: str, count: int, query: Groups = ()) -> list[float]:
    """Find the ``count`` integers that a reply answers with, or nothing: no guess reaches an arm.

    Understood are, behind thoughts that ended: a JSON object whose ``output`` is a list, or a
    text, of just these integers; numbers alone in the text, or on one line, in brackets or not; the
    rest of a line after "->" or "output is".  If the text begins with the numbers and goes on with
    lines of its own invention ("... ->"), the first line counts.  Refused are replies that hold
    several different answers, the answer to another line than the query, a group of the query
    itself, decimals (0.512 would be taken for 0.000512), and what was cut off.

    Args:
        reply: the model's text.
        count: integers wanted.
        query: groups of the line that the model was to complete.

    Raises:
        CompletionFailed: anything else; the message is one line.
    """
    usual = _USUAL.fullmatch(reply) if len(reply) <= MAX_REPLY else None
    words = usual[1].replace(",", " ").split() if usual else _words(reply, count, query)
    if len(words) != count:
        raise CompletionFailed(
            f"the reply holds {len(words)} numbers instead of {count}: {excerpt(reply)!r}"
        )
    if not all(map(_INTEGER.fullmatch, words)):
        raise CompletionFailed(f"the reply holds what is no integer: {excerpt(reply)!r}")
    values = [float(word) for word in words]
    if not all(map(math.isfinite, values)):
        raise CompletionFailed(f"the reply holds a number that is not finite: {excerpt(reply)!r}")
    if any(values == list(group) for group in query):
        raise CompletionFailed(f"the reply repeats an input of its line: {excerpt(reply)!r}")
    return values


def _words(reply: str, count: int, query: Groups) -> list[str]:
    """Return the numbers of the answer, as written, wherever in the reply it is.

    Raises:
        CompletionFailed: there are several answers, or objects without any.
    """
    text = answer_text(reply)
    if any(text.count(mark) != text.count(end) for mark, end in ("[]", "{}")):
        # The last number of a reply that was cut off would be a wrong one.
        raise CompletionFailed(f"the reply is cut off or broken: {excerpt(reply)!r}")
    found = find_objects(text)
    if found.objects:
        answers = [_entries(value) for value in found.values(ANSWER)]
        if _LOOSE.search(found.rest):
            raise CompletionFailed(f"the reply is cut off or broken: {excerpt(reply)!r}")
    else:
        answers = _lines(_FENCE.sub("", text), count, query)
    if not answers:
        other = "answers another line" if ARROW in text else "holds no answer"
        raise CompletionFailed(f"the reply {other}: {excerpt(reply)!r}")
    if any(answer != answers[0] for answer in answers):
        raise CompletionFailed(f"the reply holds several answers: {excerpt(reply)!r}")
    return answers[0]


def _entries(value: Any) -> list[str]:
    """Return the entries of a list, or the words of a text; what is no number is marked as such."""
    if isinstance(value, list):
        return [entry.strip() if isinstance(entry, str) else NO_NUMBER for entry in value]
    return _split(value) if isinstance(value, str) else [NO_NUMBER]


def _lines(text: str, count: int, query: Groups) -> list[list[str]]:
    """Return the answers of a text without objects: all of it, or its lines of numbers."""
    whole = _numbers(text)
    if len(whole) == count:
        return [whole]
    lines = [line.strip("`* \t") for line in text.splitlines()]
    lines = [line for line in lines if line]
    completed = [line.rpartition(ARROW) for line in lines if ARROW in line]
    found = [_numbers(right) for left, _, right in completed if _is_query(left, query)]
    plain = [line for line in lines if ARROW not in line]
    # Beside completed lines, numbers alone are an answer only if such lines go on from them.
    if not completed or (plain == lines[:1] and _numbers(plain[0])):
        found += [_numbers(_MARK.split(line)[-1]) for line in plain]
    fitting = [words for words in found if len(words) == count]
    return fitting or ([whole] if whole else [])


def _is_query(left: str, query: Groups) -> bool:
    """Return whether the left side of a completed line is the query, or is left out."""
    if not left.strip():
        return True
    groups = [_numbers(group) for group in left.split("|")]
    if not all(map(_INTEGER.fullmatch, (word for group in groups for word in group))):
        return False
    return [list(map(float, group)) for group in groups] == [list(group) for group in query]


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
