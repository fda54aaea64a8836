"""Patterns as prompts: one line "inputs -> outputs" per example, the last one to complete.

ICPI completes sequences in context.  Over the wire ``completion`` a prompt is these lines and
nothing else; over ``turns`` every example is a question and its answer; over ``json`` a
task-agnostic instruction comes first.  What never changes comes first everywhere, then examples of
the data set, then those of the run, then the query, so that a server can cache the beginning.
:func:`read_prompt` is the inverse, from the text alone.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.learn.retrieval import Scale
from icpi_ros.llm.client.completer import Message, Prompt, Wire
from icpi_ros.llm.prompt.pattern import Pattern, PatternLines
from icpi_ros.llm.prompt.tokens import ARROW, DEFAULT_DIGITS, NumberFormat, read_numbers

INSTRUCTION = (
    "You complete number sequences. Each line maps an input to an output: the input has groups "
    "of integers separated by '|', the output is one group after '->'. The integer after 'unit:' "
    "stands for 1. Outputs follow a smooth pattern of the inputs. Lines under 'other systems' "
    "show similar patterns; lines under 'this system' follow the very pattern to complete. Later "
    "lines are closer to the last one. Complete the last line. Answer with JSON only: "
    '{"output": [integers]}, as many integers as the output group has; no words, no explanation.'
)
TURNS_INSTRUCTION = (
    "You map groups of signed integers to one group of signed integers, by a smooth pattern that "
    "the examples follow. Answer with the integers only."
)
FIXED, FITTED = NUMBERS = ("fixed", "fitted")
SHARED, OWN = "other systems:", "this system:"
UNIT = "unit:"
BAR = " | "


@dataclass(frozen=True)
class PromptWriter:
    """Writes patterns, reads replies.

    Attributes:
        wire: that carries the prompt.
        digits: decimal places of scaled numbers.
        description: lines about the task, before the examples; empty = none.
        fitted: scale every column by its largest number in the pattern, so that no digit is idle
            where all are small.
    """

    wire: Wire = Wire.JSON
    digits: int = DEFAULT_DIGITS
    description: str = ""
    fitted: bool = False

    @cached_property
    def numbers(self) -> NumberFormat:
        """Format of scaled numbers: JSON has no padded ones, fitted ones are below 1."""
        return NumberFormat(self.digits, padded=self.wire != Wire.JSON, ones=not self.fitted)

    @cached_property
    def unit(self) -> str:
        """The number 1 as it is written."""
        return self.numbers.encode(np.ones(1))

    def largest(self, pattern: Pattern, longest: float) -> int:
        """Return the integer that stands for a scaled output of a pattern, rounded up."""
        smallest = float(np.min(self.scale(pattern))) if self.fitted else 1.0
        return math.ceil(longest / smallest / self.numbers.quantum)

    def scale(self, pattern: Pattern) -> Array:
        """Return what outputs of a pattern are to be multiplied with, ``(q,)``; 1 if not fitted."""
        return pattern.fitted[1] if self.fitted else np.ones(pattern.width)

    def prompt(self, pattern: Pattern) -> Prompt:
        """Return the prompt that asks for the outputs of the pattern's query."""
        if self.fitted:
            pattern = pattern.fitted[0]
        if self.wire == Wire.COMPLETION:
            return Prompt(self.wire, text="\n".join(self._lines(pattern)))
        messages = self._turns(pattern) if self.wire == Wire.TURNS else self._chat(pattern)
        return Prompt(self.wire, tuple(messages))

    def _lines(self, pattern: Pattern) -> Iterator[str]:
        if self.description:
            yield self.description
        yield from self._blocks(pattern.shared, pattern.own)
        yield f"{self._input(pattern.query)} {ARROW}"

    def _turns(self, pattern: Pattern) -> Iterator[Message]:
        told = filter(None, (TURNS_INSTRUCTION, self.description))
        yield {"role": "system", "content": "\n".join(told)}
        for inputs, outputs in (*self._written(pattern.shared), *self._written(pattern.own)):
            yield {"role": "user", "content": inputs}
            yield {"role": "assistant", "content": outputs}
        yield {"role": "user", "content": self._input(pattern.query)}

    def _chat(self, pattern: Pattern) -> Iterator[Message]:
        lines = [self.description] if self.description else []
        lines.append(f"{UNIT} {self.unit}")
        for title, some in ((SHARED, pattern.shared), (OWN, pattern.own)):
            if len(some) or title == OWN:
                lines.append(title)
            lines += self._blocks(some)
        lines.append(f"{self._input(pattern.query)} {ARROW}")
        yield {"role": "system", "content": INSTRUCTION}
        yield {"role": "user", "content": "\n".join(lines)}

    def outputs(self, reply: str, pattern: Pattern) -> Array:
        """Read the scaled outputs ``(q,)`` of a pattern's query, finite, from a model's reply.

        Raises:
            CompletionFailed: the reply does not hold exactly ``q`` integers, or answers another
                line, or repeats an input of the query.
        """
        shown = pattern.fitted[0] if self.fitted else pattern
        query = [self.numbers.integers(group) for group in shown.query]
        outputs = self.numbers.decode(read_numbers(reply, pattern.width, query))
        return outputs * pattern.fitted[1] if self.fitted else outputs

    def _blocks(self, *kinds: PatternLines) -> Iterator[str]:
        """Yield the lines of each kind that has any, as one text."""
        for some in kinds:
            if len(some):
                yield self.numbers.lines(some.inputs, BAR, f" {ARROW} ", some.outputs)

    def _written(self, lines: PatternLines) -> Iterator[tuple[str, str]]:
        """Return inputs and outputs of every line."""
        outputs = self.numbers.rows([lines.outputs], BAR)
        return zip(self.numbers.rows(lines.inputs, BAR), outputs, strict=True)

    def _input(self, groups: tuple[Array, ...]) -> str:
        return self.numbers.row(groups, BAR)


def describe(task: str, space: ParameterSpace, scale: Scale, unit: str, raw: bool) -> str:
    """Return the description of the groups of an adjustment pattern.

    Args:
        task: its name.
        space: policy parameters.
        scale: of errors.
        unit: how 1 is written, for example ``+01000``.
        raw: state and goal are shown, not the error.
    """
    seen = "state and then the goal" if raw else "error, outcome minus goal"
    wanted = "brings the state to the goal" if raw else "makes the error 0"
    parameters = ", ".join(
        f"{p.name} [{p.unit}] (0 is {0.5 * (p.lower + p.upper):.4g}, {unit} is {half:.4g} more)"
        for p, half in zip(space.parameters, space.half_range, strict=True)
    )
    errors = ", ".join(f"{unit} is {rms:.3g}" for rms in scale.rms)
    return (
        f"A robot repeats the motion of task {task} with policy parameters: {parameters}.\n"
        f"Input: the parameters of an attempt | its outcome as {seen} ({errors}, in SI units). "
        f"Output: the change of the parameters that {wanted}."
    )


def describe_costs(task: str, space: ParameterSpace, unit: str, metres: float) -> str:
    """Return the text on a pattern ``cost -> parameters``; ``unit`` of cost is ``metres`` [m]."""
    parameters = ", ".join(
        f"{p.name} [{p.unit}] (-{unit.lstrip('+')} is {p.lower:.4g}, {unit} is {p.upper:.4g})"
        for p in space.parameters
    )
    return (
        f"A robot repeats the motion of task {task} with policy parameters: {parameters}.\n"
        f"Input: the cost of an attempt, its distance from the goal ({unit} is {metres:.3g} m). "
        "Output: the parameters of that attempt. Attempts come worst to best; give parameters "
        "that have not been tried and whose cost is 0."
    )


MAX_LINES = 2000
"""Most lines of a prompt."""
_NUMBERS = {True: r"[-+][0-9]{2,300}", False: r"-?[0-9]{1,300}"}
"""Of a line, by whether they are padded."""
_GROUPS = {padded: rf"{number}(?: +{number})*" for padded, number in _NUMBERS.items()}
_INPUTS = {padded: rf"{group}(?: *\| *{group})*" for padded, group in _GROUPS.items()}
_LINES = {
    padded: re.compile(rf"({_INPUTS[padded]}) *->(?: *({_GROUPS[padded]}))? *")
    for padded in _NUMBERS
}
_LEFT = re.compile(rf"({_INPUTS[True]}) *(?:->)?")
_UNIT = re.compile(rf"{UNIT} *(10{{1,9}})")

_Row = tuple[tuple[tuple[str, ...], ...], tuple[str, ...]]
"""Groups of inputs and the outputs, as written; no outputs = the query."""


def query_line(text: str) -> str | None:
    """Return a message that is the left side of a line, with its arrow or not, as a query."""
    found = _LEFT.fullmatch(text.strip())
    return f"{found[1]} {ARROW}" if found else None


def example_line(left: str, right: str) -> str | None:
    """Return two messages, the left side of a line and its outputs, as a line."""
    query = query_line(left)
    return (
        f"{query} {right.strip()}" if query and re.fullmatch(_GROUPS[True], right.strip()) else None
    )


def read_prompt(text: str) -> tuple[Pattern, NumberFormat]:
    """Return the pattern that a prompt asks to complete, and the format of its numbers.

    Lines that are no examples are skipped, as headings and descriptions are.  The quantum stands
    behind "unit:", and numbers are then as JSON writes them; without it the quantum follows from
    the width of the shortest number, as fixed-width integers are written (``+0512``: 3 digits),
    and it is wrong if all numbers are beyond +-10.

    Raises:
        InvalidValue: there is no query, or a line does not fit the others; names it.
    """
    shared, own = list[_Row](), list[_Row]()
    into, query = shared, None
    headings = {SHARED: shared, OWN: own}
    digits: int | None = None
    lines = text.splitlines()
    if len(lines) > MAX_LINES:
        raise InvalidValue(f"the prompt has {len(lines)} lines: allowed are at most {MAX_LINES}")
    for number, line in enumerate(map(str.strip, lines), 1):
        if unit := _UNIT.fullmatch(line):
            digits = len(unit[1]) - 1
        found = _LINES[digits is None].fullmatch(line)
        if found is None:
            into = headings.get(line, into)
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
    return _pattern(shared, own, query, digits)


def _row(found: re.Match[str]) -> _Row:
    groups = tuple(tuple(group.split()) for group in found[1].split("|"))
    return groups, tuple((found[2] or "").split())


def _require_alike(row: _Row, others: Sequence[_Row], number: int) -> None:
    """Check that a line has as many numbers as the ``others``; the query has no outputs."""
    for other in others:
        alike = tuple(map(len, row[0])) == tuple(map(len, other[0]))
        if not alike or (row[1] and len(row[1]) != len(other[1])):
            raise InvalidValue(f"line {number} has other numbers of inputs or outputs")


def _pattern(
    shared: list[_Row], own: list[_Row], query: _Row, digits: int | None
) -> tuple[Pattern, NumberFormat]:
    rows = [*shared, *own, query]
    numbers = _format(rows) if digits is None else NumberFormat(digits, padded=False)
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


def _lines(rows: list[_Row], sizes: list[int], width: int, numbers: NumberFormat) -> PatternLines:
    groups = tuple(
        np.array([_scaled(row[0][g], numbers) for row in rows]).reshape(len(rows), size)
        for g, size in enumerate(sizes)
    )
    outputs = np.array([_scaled(row[1], numbers) for row in rows])
    return PatternLines(groups, outputs.reshape(len(rows), width))
