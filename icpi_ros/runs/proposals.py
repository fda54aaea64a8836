"""The next trial of a run: from where its theta comes, and what may be executed of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np

from icpi_ros.core.types import Array, Outcome, Proposal, Trial
from icpi_ros.runs.proposing import Proposer
from icpi_ros.tasks.feasible import Confinement, WhyNot, first_possible

FIRST = "first attempt"
"""Provenance of trial 0."""
OPERATOR = "operator"
"""Provenance of a theta that a person chose."""


class Proposals(Protocol):
    """Source of the proposals of a run."""

    def propose(self, history: Sequence[Outcome], number: int, why_not: WhyNot) -> Proposal:
        """Return a proposal for trial ``number``.

        Args:
            history: outcomes of the run's trials, oldest first.
            number: of the trial.
            why_not: says which thetas cannot be executed.
        """


@dataclass(frozen=True)
class Seeded:
    """Proposals of a run: trial ``n`` draws from ``numpy.random.default_rng([seed, n])``.

    Trial 0 is the first attempt, the same for all improvers; all later ones are the improver's.

    Attributes:
        proposer: asks the improver.
        seed: of the run.
        first: theta ``(d,)`` of the first attempt; None = the first draw that can be executed.
    """

    proposer: Proposer
    seed: int
    first: Array | None = None

    def propose(self, history: Sequence[Outcome], number: int, why_not: WhyNot) -> Proposal:
        """See :class:`Proposals`.

        Raises:
            BudgetSpent: what may be spent on the model is used up.
        """
        if number > 0:
            return self.proposer.propose(history, self.seed, number)
        if self.first is not None:
            return Proposal(self.first, FIRST)
        rng = np.random.default_rng([self.seed, 0])
        return Proposal(first_possible(self.proposer.context.space, rng, why_not), FIRST)


def next_trial(
    proposals: Proposals, confinement: Confinement, history: Sequence[Outcome], number: int
) -> Trial:
    """Return trial ``number`` after a history: proposed, and confined to what may be executed."""
    proposal = proposals.propose(history, number, confinement.why_not)
    executed = [outcome.theta for outcome in history]
    return confinement.of(proposal.theta, executed).trial(number, proposal, lowest_cost(history))


def by_operator(trial: Trial, theta: Array, by: str) -> Trial:
    """Return a trial under way with the theta ``(d,)`` that a person chose instead."""
    theta.setflags(write=False)  # improvers share it
    note = f"{by} changed what {trial.proposal.provenance} proposed"
    proposal = replace(
        trial.proposal, provenance=OPERATOR, predicted_cost=math.nan, predicted_std=math.nan
    )
    return replace(trial, theta=theta, proposal=proposal, projected=False, note=note)


def lowest_cost(history: Sequence[Outcome]) -> float:
    """Return the lowest cost of a history [m]; NaN if it is empty."""
    return min((outcome.cost for outcome in history), default=math.nan)
