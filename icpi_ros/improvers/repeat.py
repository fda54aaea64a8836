"""The same motion again: how far robot, object and camera repeat themselves."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from icpi_ros.core.types import Outcome, Proposal
from icpi_ros.improvers.base import Improver


class Repeat(Improver):
    """Proposes the run's first theta at every step; see :mod:`icpi_ros.evaluate.repeatability`."""

    name: ClassVar[str] = "repeat"
    summary: ClassVar[str] = "the first theta again and again, to measure repeatability"
    needs_dataset: ClassVar[bool] = False

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return the first theta of the run; see :meth:`Improver.propose`."""
        return Proposal(history[0].theta.copy(), self.name)
