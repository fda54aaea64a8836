"""Proposals of a run: from an improver or its substitutes, confined to what can be executed."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np

from icpi_ros.core.redact import redact_text
from icpi_ros.core.text import printable
from icpi_ros.core.types import EXPECTED_GAIN, REPEAT, Array, Outcome, Proposal, Trial
from icpi_ros.improvers import DEFAULT_IMPROVER, IMPROVERS
from icpi_ros.improvers.base import (
    Context,
    Improver,
    Recommendation,
    build,
    first_answer,
    without_options,
)
from icpi_ros.tasks.feasibility import Confinement, FeasibilityCheck, first_possible

LAST_RESORT = "random"

_log = logging.getLogger(__name__)


class Proposer:
    """The asked improver, then ``embedded``, then a uniform sample; the answer names its maker.

    ``embedded`` is left out where there is no example to learn from, and gets no options.

    Args:
        improver: registered name.
        context: of the run, for improvers.

    Raises:
        UnknownName: no such improver.
        UsageError: the improver refuses its options or data set.
    """

    def __init__(self, improver: str, context: Context) -> None:
        """Build the asked improver now, so that wrong options show before anything moves."""
        self.improver = improver
        self.context = context
        self._built: dict[str, Improver] = {improver: build(IMPROVERS.get(improver), context)}

    def propose(self, history: Sequence[Outcome], seed: int, number: int) -> Proposal:
        """Return a finite proposal for trial ``number``; latency is the wall time of it all [s].

        Raises:
            BudgetSpent: the budget of the model is used up.
            CompletionFailed: no answer of its model, and nothing may stand in for it.

        Every improver that is asked gets its own ``default_rng([seed, number])``, so that a
        fallback does not depend on how far the failed one came.
        """
        start = time.monotonic()
        proposal = first_answer(self._asked(history, seed, number))
        reason = redact_text(proposal.fallback_reason)
        if reason:
            what = f"trial {number}: {proposal.provenance} instead of {self.improver}: {reason}"
            _log.warning("%s", printable(what))
        return replace(proposal, fallback_reason=reason, latency=time.monotonic() - start)

    def recommend(self, history: Sequence[Outcome]) -> Recommendation | None:
        """Return the improver's answer after a non-empty history; None where it fails."""
        try:
            found = self._built[self.improver].recommend(history)
            return found if 0 <= found.index < len(history) else None
        except Exception:  # whatever a plug-in does, the run goes on
            _log.debug("improver %s recommends nothing", self.improver, exc_info=True)
            return None

    def _asked(
        self, history: Sequence[Outcome], seed: int, number: int
    ) -> Iterator[tuple[str, Callable[[], Proposal]]]:
        """Yield the improver and those that stand in for it, in turn."""
        replaced = self._built[self.improver].may_be_replaced
        substitutes = (DEFAULT_IMPROVER,) if replaced and len(self.context.dataset) else ()
        for name in dict.fromkeys((self.improver, *substitutes)):
            yield name, partial(self._ask, name, history, np.random.default_rng([seed, number]))
        if not replaced:
            return
        draw = partial(self.context.space.sample, np.random.default_rng([seed, number]))
        yield LAST_RESORT, lambda: Proposal(theta=draw(), provenance=LAST_RESORT)

    def _ask(self, name: str, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        try:
            if name not in self._built:
                self._built[name] = IMPROVERS.get(name)(without_options(self.context))
            proposal = self._built[name].propose(history, rng)
            return replace(proposal, theta=self.context.space.as_vector(proposal.theta))
        except Exception:
            _log.debug("improver %s failed", name, exc_info=True)
            raise


FIRST = "first attempt"
"""Provenance of trial 0."""
OPERATOR = "operator"
"""Provenance of a theta that a person chose."""


class Proposals(Protocol):
    """Source of the proposals of a run."""

    def propose(
        self, history: Sequence[Outcome], number: int, why_not: FeasibilityCheck
    ) -> Proposal:
        """Return a proposal for trial ``number``.

        Args:
            history: outcomes of the run's trials, oldest first.
            number: of the trial.
            why_not: reason why a theta cannot be executed; None = it can.
        """


@dataclass(frozen=True)
class SeededProposals:
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

    def propose(
        self, history: Sequence[Outcome], number: int, why_not: FeasibilityCheck
    ) -> Proposal:
        """See :class:`Proposals`.

        Raises:
            BudgetSpent: the budget of the model is used up.
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
    known = trial.proposal.details
    details = {**known, **{key: None for key in (EXPECTED_GAIN, REPEAT) if key in known}}
    proposal = replace(
        trial.proposal,
        provenance=OPERATOR,
        predicted_cost=math.nan,
        predicted_std=math.nan,
        details=details,
    )
    return replace(trial, theta=theta, proposal=proposal, projected=False, note=note)


def lowest_cost(history: Sequence[Outcome]) -> float:
    """Return the lowest cost of a history [m]; NaN if it is empty."""
    return min((outcome.cost for outcome in history), default=math.nan)
