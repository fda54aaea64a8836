"""Sequences to complete: lines "inputs -> outputs" and a last line without outputs.

The question of an improver to a sequence model, as numbers.  ``icpi_ros.llm.prompt.text`` writes
it as text for a language model, ``icpi_ros.llm.prompt.completion`` completes it as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.types import Array

FITTED_TOP = 0.95
"""Largest number of a column that is fitted; an answer may lie a little beyond."""
MIN_COLUMN = 1e-4
"""Largest number of a column below which it is not magnified further."""


def _largest(*rows: Array) -> Array:
    """Return what columns of ``(n, p)`` rows are to be divided by, ``(p,)``; 1 without a row."""
    sizes = np.abs(np.concatenate(rows))
    if not len(sizes):
        return np.ones(sizes.shape[1])
    return np.asarray(np.maximum(sizes.max(axis=0), MIN_COLUMN) / FITTED_TOP)


@dataclass(frozen=True)
class PatternLines:
    """``n`` lines of one kind.

    Attributes:
        inputs: groups, ``(n, p)`` each, scaled.
        outputs: ``(n, q)`` scaled.
    """

    inputs: tuple[Array, ...]
    outputs: Array

    def __len__(self) -> int:
        return len(self.outputs)

    def take(self, order: NDArray[np.intp]) -> PatternLines:
        """Return the lines ``order`` ``(k,)``, in that order."""
        return PatternLines(tuple(group[order] for group in self.inputs), self.outputs[order])

    def without_first(self) -> PatternLines:
        """Return the lines without their first group."""
        return PatternLines(self.inputs[1:], self.outputs)

    def divided(self, inputs: Sequence[Array], outputs: Array) -> PatternLines:
        """Return the lines with every column divided by a number.

        Args:
            inputs: of each group, ``(p,)``.
            outputs: ``(q,)``.
        """
        groups = zip(self.inputs, inputs, strict=True)
        return PatternLines(tuple(group / scale for group, scale in groups), self.outputs / outputs)

    @property
    def joined(self) -> Array:
        """All groups side by side, ``(n, p)``."""
        return np.concatenate(self.inputs, axis=1)


@dataclass(frozen=True)
class Pattern:
    """Lines to learn from and the inputs of the line to complete.

    Attributes:
        shared: lines of other systems than the query's: of a data set, most important last.
        own: lines of the query's own system: of the run, most important last.
        query: groups of inputs, ``(p,)`` each, scaled.
    """

    shared: PatternLines
    own: PatternLines
    query: tuple[Array, ...]

    def without_first(self) -> Pattern:
        """Return the pattern without the first group of its inputs."""
        return Pattern(self.shared.without_first(), self.own.without_first(), self.query[1:])

    @cached_property
    def fitted(self) -> tuple[Pattern, Array]:
        """The pattern with every column's largest number at FITTED_TOP.

        With it comes what its outputs are to be multiplied with, ``(q,)``.
        """
        groups = zip(self.shared.inputs, self.own.inputs, self.query, strict=True)
        scales = [_largest(shared, own, query[np.newaxis]) for shared, own, query in groups]
        out = _largest(self.shared.outputs, self.own.outputs)
        shared, own = (lines.divided(scales, out) for lines in (self.shared, self.own))
        query = tuple(group / scale for group, scale in zip(self.query, scales, strict=True))
        return Pattern(shared, own, query), out

    @property
    def width(self) -> int:
        """Number ``q`` of outputs."""
        return int(self.shared.outputs.shape[1])

    @property
    def asked(self) -> Array:
        """The query's groups side by side, ``(p,)``."""
        return np.concatenate(self.query)
