"""Prompts back to patterns: the inverse of :mod:`icpi_ros.llm.prompt.text`, from the text alone."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.llm.prompt.pattern import Lines, Pattern
from icpi_ros.llm.prompt.text import OWN, SHARED
from icpi_ros.llm.prompt.tokens import NumberFormat

MAX_LINES = 2000
"""Most lines of a prompt."""
_GROUP = r"[-+][0-9]{2,300}(?: +[-+][0-9]{2,300})*"
_LINE = re.compile(rf"({_GROUP}(?: *\| *{_GROUP})*) *->(?: *({_GROUP}))? *")

_Row = tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]
"""Groups of inputs and the outputs, as written; no outputs = the query."""


def read_prompt(text: str) -> tuple[Pattern, NumberFormat]:
    """Return the pattern that a prompt asks to complete, and the format of its numbers.

    Lines that are no examples are skipped, as headings and descriptions are.  The quantum follows
    from the width of the shortest number, as fixed-width integers are written (``+0512``: 3
    digits); it is wrong if all numbers are beyond +-10.

    Raises:
        InvalidValue: there is no query, or a line does not fit the others; says which.
    """
    shared, own = list[_Row](), list[_Row]()
    into, query = shared, None
    headings = {SHARED: shared, OWN: own}
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise InvalidValue(f"the prompt has {len(lines)} lines: allowed are at most {MAX_LINES}")
    for number, line in enumerate(lines, 1):
        found = _LINE.fullmatch(line.strip())
        if found is None:
            into = headings.get(line.strip(), into)
            continue
        if query is not None:
            raise InvalidValue(f"line {number} comes after the line to complete")
        row = _row(found)
        _require_alike(row, shared[:1] or own[:1], number)
        if row[1]:
            into.append(row)
        else:
            query = row
    if query is None:
        raise InvalidValue('no line to complete: the last line must end with "->"')
    return _pattern(shared, own, query)


def _row(found: re.Match[str]) -> _Row:
    groups = tuple(tuple(group.split()) for group in found[1].split("|"))
    return groups, tuple((found[2] or "").split())


def _require_alike(row: _Row, others: Sequence[_Row], number: int) -> None:
    """Check that a line has as many numbers as the ``others``; the query has no outputs."""
    for other in others:
        alike = tuple(map(len, row[0])) == tuple(map(len, other[0]))
        if not alike or (row[1] and len(row[1]) != len(other[1])):
            raise InvalidValue(f"line {number} has other numbers of inputs or outputs")


def _pattern(shared: list[_Row], own: list[_Row], query: _Row) -> tuple[Pattern, NumberFormat]:
    rows = [*shared, *own, query]
    numbers = _format(rows)
    sizes = [len(group) for group in query[0]]
    width = len(rows[0][1]) or sizes[0]  # without an example: an adjustment of the first group
    asked = tuple(_scaled(group, numbers) for group in query[0])
    return (
        Pattern(_lines(shared, sizes, width, numbers), _lines(own, sizes, width, numbers), asked),
        numbers,
    )


def _format(rows: list[_Row]) -> NumberFormat:
    """Return the format of the shortest number: numbers beyond +-10 are longer than the others."""
    width = min(len(n) for groups, out in rows for part in (*groups, out) for n in part)
    return NumberFormat(min(max(width - 2, 1), 9))


def _scaled(group: Sequence[str], numbers: NumberFormat) -> Array:
    return numbers.decode([float(number) for number in group])


def _lines(rows: list[_Row], sizes: list[int], width: int, numbers: NumberFormat) -> Lines:
    groups = tuple(
        np.array([_scaled(row[0][g], numbers) for row in rows]).reshape(len(rows), size)
        for g, size in enumerate(sizes)
    )
    outputs = np.array([_scaled(row[1], numbers) for row in rows])
    return Lines(groups, outputs.reshape(len(rows), width))
