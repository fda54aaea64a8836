"""Proposals of a run of a benchmark's instance: its first attempt, then an improver's."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from icpi_benchmarks.instances import Instance, proposal_rng
from icpi_ros.core.types import Outcome, Proposal
from icpi_ros.improvers.base import Improver
from icpi_ros.runs.proposals import FIRST
from icpi_ros.tasks.feasibility import FeasibilityCheck, first_possible


@dataclass
class AfterFirst:
    """The instance's first theta, then the improver's proposals.

    While nothing was observed, the next theta is a random one: the first one again would fail
    again, and an improver has nothing to learn from.  Failed trials count, so that a trial draws
    the same random numbers whatever became of those before it.

    Attributes:
        improver: that proposes.
        instance: gives the first theta.
        seed: of the benchmark.
        trial: number of the next one.
    """

    improver: Improver
    instance: Instance
    seed: int
    trial: int = 0

    def propose(
        self, history: Sequence[Outcome], number: int, why_not: FeasibilityCheck
    ) -> Proposal:
        """See :class:`icpi_ros.runs.proposals.Proposals`."""
        rng = proposal_rng(self.seed, self.instance.number, self.trial, self.improver.name)
        self.trial += 1
        if self.trial == 1:
            return Proposal(self.instance.theta, FIRST)
        if not history:
            return Proposal(first_possible(self.improver.context.space, rng, why_not), "random")
        return self.improver.propose(tuple(history), rng)
