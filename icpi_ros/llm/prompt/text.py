"""Patterns as prompts: one line "inputs -> outputs" per example, the last one to complete.

ICPI completes sequences in context.  The task-agnostic instruction comes first and never changes,
so that a server can cache it, then an optional description of the task, then the examples, then
the query.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from icpi_ros.core.types import Array
from icpi_ros.llm.client.completer import Message
from icpi_ros.llm.prompt.pattern import Lines, Pattern
from icpi_ros.llm.prompt.tokens import NumberFormat, read_numbers

INSTRUCTION = (
    "You complete number sequences. Each line maps an input to an output: the input has groups "
    "of signed integers separated by '|', the output is one group after '->'. Outputs follow a "
    "smooth pattern of the inputs. Lines under 'other systems' show similar patterns; lines "
    "under 'this system' follow the very pattern to complete. Later lines are closer to the "
    'last one. Complete the last line. Answer with JSON only: {"output": [integers]}, as many '
    "integers as the output group has; no words, no explanation."
)
SHARED, OWN = "other systems:", "this system:"
ARROW, BAR = " ->", " | "


@dataclass(frozen=True)
class PromptWriter:
    """Writes patterns, reads replies.

    Attributes:
        numbers: how a scaled number is written.
        description: lines about the task, before the examples; empty = none.
    """

    numbers: NumberFormat = field(default_factory=NumberFormat)
    description: str = ""

    def messages(self, pattern: Pattern) -> tuple[Message, ...]:
        """Return the chat messages that ask for the outputs of the pattern's query."""
        lines = [self.description] if self.description else []
        if len(pattern.shared):
            lines += [SHARED, *self._written(pattern.shared)]
        lines += [OWN, *self._written(pattern.own), self._input(pattern.query) + ARROW]
        return (
            {"role": "system", "content": INSTRUCTION},
            {"role": "user", "content": "\n".join(lines)},
        )

    def outputs(self, reply: str, width: int) -> Array:
        """Read the scaled outputs ``(width,)``, finite, from a model's reply.

        Raises:
            CompletionFailed: the reply does not hold exactly ``width`` integers.
        """
        return self.numbers.decode(read_numbers(reply, width))

    def _written(self, lines: Lines) -> Iterator[str]:
        for n, outputs in enumerate(lines.outputs):
            inputs = self._input(tuple(group[n] for group in lines.inputs))
            yield f"{inputs}{ARROW} {self.numbers.encode(outputs)}"

    def _input(self, groups: tuple[Array, ...]) -> str:
        return BAR.join(map(self.numbers.encode, groups))
