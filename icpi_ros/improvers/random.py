"""Random shooting: the floor that every improver must beat."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from icpi_ros.core.types import Outcome, Proposal
from icpi_ros.improvers.base import Improver


class Random(Improver):
    """Samples theta uniformly from the space, whatever the history."""

    name: ClassVar[str] = "random"
    summary: ClassVar[str] = "uniform draws from the parameter space"
    needs_dataset: ClassVar[bool] = False

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return a uniform sample; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        theta = self.context.space.sample(rng)
        return Proposal(theta, self.name, latency=time.perf_counter() - start)
