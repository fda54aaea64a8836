"""Base of the improvers that complete a pattern of examples: context, acceptance, fallback."""

from __future__ import annotations

import time
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from icpi_ros.core.errors import BudgetSpent, CompletionFailed, invalid
from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import (
    Context,
    IndexedImprover,
    best,
    first_answer,
    without_options,
)
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.improvers.llm.options import EMBEDDED, FAIL, HOLD, PatternOptions, ShownOptions
from icpi_ros.learn.retrieval import Scale
from icpi_ros.llm.prompt.examples import LABELS, AdjustmentPatterns
from icpi_ros.llm.prompt.pair_examples import PairExamples
from icpi_ros.llm.prompt.pattern import Pattern

MAX_ADJUSTMENT = 2.0
"""Longest accepted adjustment of a parameter, in half ranges: from one border to the other."""


def chosen_pairs(options: ShownOptions, context: Context, scale: Scale) -> PairExamples | None:
    """Return the pairs to choose examples from; None = the labels alone.

    Raises:
        InvalidValue: pairs of features that have none.
    """
    if options.examples == LABELS or not len(context.dataset):
        return None
    if options.features != "error":
        text = "option examples = 'pairs' shows errors: leave features at 'error'"
        raise invalid(text, "options.features", options.features, ("error",))
    return PairExamples.of(context.dataset, scale, context.goal)


def base_of(options: ShownOptions, history: Sequence[Outcome]) -> Outcome:
    """Return the trial that is adjusted: the latest one, or the best."""
    return best(history) if options.start == "best" else history[-1]


class PatternImprover(IndexedImprover):
    """Retrieves k examples for a trial, has the pattern completed, adds dtheta to the trial.

    Rules for what a model answers: an adjustment beyond a parameter's whole range is refused; a
    theta that was tried is refused unless the options allow it; a theta out of bounds is projected
    by the loop, which records it.  What is refused, or did not come, is replaced as the option
    ``substitute`` says, and the proposal says so.
    """

    Options = PatternOptions
    options: PatternOptions

    def __init__(self, context: Context, proposes: bool = True) -> None:
        """Index the data set, fit ``embedded`` if it may be needed (seconds, once per process).

        The substitute is fitted now because a proposal has no seconds to spare.

        Args:
            context: of the run.
            proposes: False = only patterns and prompts are wanted; nothing is fitted.

        Raises:
            InvalidValue: a wrong option, or too few examples.
        """
        super().__init__(context)
        self._adjustments = AdjustmentPatterns(
            context.dataset,
            self._features,
            self._index,
            self.options.order,
            chosen_pairs(self.options, context, self._scale),
            self.options.inputs,
        )
        if proposes:
            self._get_ready()

    def _get_ready(self) -> None:
        """Make the parts that only a proposal needs; the substitute last: it takes seconds."""
        if self.options.substitute == EMBEDDED:
            self._embedded = Embedded(without_options(self.context))

    @property
    def may_be_replaced(self) -> bool:
        """See :attr:`Improver.may_be_replaced`."""
        return self.options.substitute != FAIL

    def pattern(self, history: Sequence[Outcome]) -> Pattern:
        """Return the pattern that a proposal for ``history`` asks to complete."""
        base = self._base(history)
        return self._adjustments.pattern(history, base, self._k, self.options.history)

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return base + the completed dtheta, or the substitute's; see :meth:`Improver.propose`.

        Raises:
            CompletionFailed: the model made no proposal, and there is no substitute.
        """
        start = time.perf_counter()
        details: dict[str, Any] = {}
        asked = [(self.name, lambda: self._named(history, rng, details))]
        if self.may_be_replaced:
            asked.append((self.options.substitute, lambda: self._replacement(history, rng)))
        try:
            # Here the record of what was asked is kept, further up it is not.
            proposal = first_answer(asked)
        except CompletionFailed as exc:
            exc.details = details
            raise
        return replace(proposal, latency=time.perf_counter() - start, details=details)

    def _replacement(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return embedded's proposal, or the best trial again, which gains nothing."""
        if self.options.substitute == HOLD:
            return Proposal(best(history).theta.copy(), HOLD)
        return self._embedded.propose(history, rng)

    def _named(
        self, history: Sequence[Outcome], rng: np.random.Generator, details: dict[str, Any]
    ) -> Proposal:
        """Return the model's proposal; a failure that is no model's is named with its kind."""
        try:
            return self._answer(history, rng, details)
        except (BudgetSpent, CompletionFailed):
            raise
        except Exception as exc:
            raise CompletionFailed(f"{type(exc).__name__}: {exc}") from exc

    @abstractmethod
    def _answer(
        self, history: Sequence[Outcome], rng: np.random.Generator, details: dict[str, Any]
    ) -> Proposal:
        """Return the model's proposal; ``details`` takes what is to be stored with it.

        Raises:
            CompletionFailed: there is none.
        """

    def _base(self, history: Sequence[Outcome]) -> Outcome:
        """Return the trial to adjust."""
        return base_of(self.options, history)

    def _accepted(self, base: Outcome, scaled: Array, history: Sequence[Outcome]) -> Array:
        """Return base + a scaled adjustment ``(d,)``, perhaps out of bounds, always finite.

        Raises:
            CompletionFailed: it is refused; the message is the reason.
        """
        self._require_near(scaled)
        return self._untried(base.theta + self._index.scale.unscale_dtheta(scaled), history)

    def _untried(self, theta: Array, history: Sequence[Outcome]) -> Array:
        """Return a theta ``(d,)``.

        Raises:
            CompletionFailed: it was tried, and the options do not allow that.
        """
        if self.options.repeats == "refuse" and self._tried(theta, history):
            raise CompletionFailed("the answer repeats a theta that was tried")
        return theta

    def _require_near(self, scaled: Array) -> None:
        """Refuse a scaled vector ``(d,)`` that leads from no theta in the box to another.

        Raises:
            CompletionFailed: it is not finite, or beyond a parameter's whole range.
        """
        if not all(abs(step) <= MAX_ADJUSTMENT for step in scaled.tolist()):  # NaN is refused, too
            raise CompletionFailed("the adjustment is longer than a parameter's whole range")
