"""Sequences to complete: lines "inputs -> outputs" and a last line without outputs.

The question of an improver to a sequence model, as numbers.  ``icpi_ros.llm.prompt.text`` writes
it as text for a language model, ``icpi_ros.llm.prompt.completion`` completes it as it is.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.types import Array


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

    @property
    def width(self) -> int:
        """Number ``q`` of outputs."""
        return int(self.shared.outputs.shape[1])

    @property
    def asked(self) -> Array:
        """The query's groups side by side, ``(p,)``."""
        return np.concatenate(self.query)
