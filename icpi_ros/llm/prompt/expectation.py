"""Expectation of an answer's numbers, by the probabilities of the tokens that could have come.

The greedy answer is the mode, digit by digit; a model that hesitates between 0299 and 0301 says
more than that.  At every token of a number, what could stand there leads to an interval of numbers:
the digits known so far, then any.  The answer's own token leads to what follows from it, the other
sign to the mirrored number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.llm.client.completer import Token
from icpi_ros.llm.prompt.tokens import NumberFormat

MIN_SHARE = 0.5
"""Least probability, at every token, of what goes on as an acceptable number."""


class NotWeighed(Exception):
    """An answer that has no expectation; the text is the reason."""


@dataclass(frozen=True)
class Expectation:
    """Numbers of an answer, scaled.

    Attributes:
        mean: ``(q,)``.
        std: ``(q,)`` standard deviation of the model's own distribution.
    """

    mean: Array
    std: Array


def expect(
    text: str,
    tokens: Sequence[Token] | None,
    numbers: NumberFormat,
    count: int,
    largest: int | None = None,
) -> Expectation:
    """Return the expectation of an answer.

    Args:
        text: the answer.
        tokens: of which it was made; None = not told.
        numbers: as they are written.
        count: of numbers.
        largest: integer that none may exceed, with either sign; None = no limit.

    Raises:
        NotWeighed: the answer is something else than so many numbers of fixed width, or its tokens
            are not those of the text, or they do not say enough.
    """
    if not numbers.padded:
        raise NotWeighed("numbers as JSON writes them have no fixed width")
    if tokens is None:
        raise NotWeighed("the server tells no probabilities of tokens that can be read")
    joined = "".join(token.text for token in tokens)
    start = len(joined) - len(joined.lstrip())
    if not joined.startswith(text.strip(), start):
        raise NotWeighed("the tokens told are not those of the answer")
    words = list(re.finditer(r"\S+", joined[: start + len(text.strip())]))
    form = re.compile(rf"[-+][0-9]{{{numbers.width - 1}}}")
    if len(words) != count or not all(form.fullmatch(word[0]) for word in words):
        raise NotWeighed(f"the answer is not {count} numbers of fixed width alone")
    limit = 10 ** (numbers.width - 1) - 1 if largest is None else largest
    ends = [0, *(word.end() for word in words)]
    found = [
        _Number(word[0], limit).moments(_options(tokens, begin, word.end(), joined))
        for word, begin in zip(words, ends[:-1], strict=True)
    ]
    return Expectation(
        numbers.decode([mean for mean, _ in found]),
        numbers.decode([math.sqrt(max(square - mean**2, 0.0)) for mean, square in found]),
    )


def _options(
    tokens: Sequence[Token], begin: int, end: int, joined: str
) -> list[list[tuple[str, float]]]:
    """Return what could stand up to each token that starts between two places: text, probability.

    Args:
        tokens: of the answer.
        begin: where the number before ends.
        end: where the number ends.
        joined: text of all tokens.
    """
    found, place = [], 0
    for token in tokens:
        if begin <= place < end:
            before = joined[begin:place]
            # No text is the end of the answer, and so is a line's end.
            going_on = [(text, log) for text, log in token.options if text.strip("\r\n")]
            found.append([(before + text, math.exp(log)) for text, log in going_on])
        place += len(token.text)
    return found


@dataclass(frozen=True)
class _Number:
    """A number of the answer, as written, and the largest that is acceptable."""

    word: str
    largest: int

    def moments(self, places: list[list[tuple[str, float]]]) -> tuple[float, float]:
        """Return the means of the number and of its square, from the options at its tokens.

        Raises:
            NotWeighed: too little of the probability is on acceptable numbers.
        """
        value = float(int(self.word))
        moments = value, value**2
        for options in reversed(places):
            known = [(p, found) for text, p in options for found in self._led_to(text, moments)]
            share = sum(p for p, _ in known)
            if share < MIN_SHARE:
                raise NotWeighed(
                    f"only {100 * share:.0f} % of the probability at a token of {self.word} "
                    "is told to be on acceptable numbers"
                )
            first, second = np.sum([[p * m for m in found] for p, found in known], axis=0) / share
            moments = float(first), float(second)
        return moments

    def _led_to(self, text: str, moments: tuple[float, float]) -> Iterator[tuple[float, float]]:
        """Yield the means of number and square that a beginning leads to; nothing if it is none.

        ``moments`` are those behind the answer's own token.
        """
        begun = re.fullmatch(r"\s*([-+]?)([0-9]*)(\D.*)?", text, re.DOTALL)
        digits = len(self.word) - 1
        if begun is None or (begun[3] and len(begun[2]) != digits):
            return  # no number, or one that ends early
        start = begun[1] + begun[2]
        if self.word.startswith(start):
            if abs(int(self.word)) <= self.largest:
                yield moments
        elif begun[1] and not begun[2]:
            yield -moments[0], moments[1]
        elif begun[1] and len(begun[2]) <= digits:
            unit = 10 ** (digits - len(begun[2]))
            low = int(begun[2]) * unit
            high = min(low + unit - 1, self.largest)
            if low <= high:
                mean = 0.5 * (low + high) * (-1.0 if begun[1] == "-" else 1.0)
                yield mean, mean**2 + ((high - low + 1) ** 2 - 1) / 12.0
