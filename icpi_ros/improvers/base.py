"""The improver seam: from what was tried to what to try next."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from icpi_ros.context.retrieval import DEFAULT_K, Index
from icpi_ros.data.dataset import Dataset
from icpi_ros.space import ParameterSpace
from icpi_ros.types import Array, Outcome, Proposal


@dataclass(frozen=True)
class Context:
    """What every improver may know about a run; never the hidden physics.

    Attributes:
        space: policy parameters.
        goal: ``(g,)`` goal of the run.
        cost_mask: ``(m,)`` 1 for error dimensions that count in the cost.
        dataset: examples (theta, error, dtheta) of this task.
        options: settings of one improver, for example the model of ``llm``.
    """

    space: ParameterSpace
    goal: Array
    cost_mask: Array
    dataset: Dataset
    options: dict[str, Any] = field(default_factory=dict)


class Improver(ABC):
    """Proposes the next theta from the run's outcomes so far.

    Subclasses are stateless between calls as far as results go: the same history and the same
    generator state give the same proposal, so that a run can be resumed after a crash.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    needs_dataset: ClassVar[bool] = True
    option_names: ClassVar[tuple[str, ...]] = ()
    """Keys of ``context.options`` that it takes; others are refused."""

    def __init__(self, context: Context) -> None:
        """Keep the context; may precompute (an index over the data set)."""
        self.context = context

    @abstractmethod
    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return the next theta for a non-empty ``history`` (oldest first).

        The proposal may lie out of bounds: the loop projects it and records that it did.  It is
        always finite, ``(d,)``.
        """


class IndexedImprover(Improver):
    """An improver that retrieves examples; a base for others."""

    def __init__(self, context: Context, k: int = DEFAULT_K) -> None:
        """Index the data set.

        Raises:
            InvalidValue: it has fewer than ``k`` examples.
        """
        super().__init__(context)
        self._index = Index(context.dataset, context.space, context.cost_mask)
        self._index.require(k)


def best(history: Sequence[Outcome]) -> Outcome:
    """Return the outcome of lowest cost, the earliest if several are equal."""
    return min(history, key=lambda outcome: outcome.cost)
