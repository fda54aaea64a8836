"""A small transformer that learns the run's hidden physics in context, without any language.

It has seen synthetic problems only (docs/transformer.md).  Its tokens are steps between
executions of the data set's physics samples, near in theta and error to the best trial, and the
run's own trials; it weighs them, and an affine model of the outcome that is fitted with these
weights is inverted.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import Context, Improver, best, fresh
from icpi_ros.improvers.transformer.tokens import StepTokens, tokens
from icpi_ros.improvers.transformer.weights import network
from icpi_ros.learn.executions import Executions
from icpi_ros.learn.retrieval import DEFAULT_K, Index

MAX_DIM, MAX_ERRORS = 8, 3
"""Parameters and errors that it was trained with."""
MAX_TRIALS = 6
"""Only the cheapest trials are tokens: there were no more in training."""


class Transformer(Improver):
    """Steps from the best trial; see the module's text."""

    name: ClassVar[str] = "transformer"
    summary: ClassVar[str] = "small in-context transformer, trained on synthetic problems only"

    def __init__(self, context: Context) -> None:
        """Arrange the executions of the data set.

        Raises:
            InvalidValue: too few examples, or more parameters or errors than it was trained with.
        """
        super().__init__(context)
        _require_trained(context)
        index = Index(context.dataset, context.space, context.cost_mask)
        index.require(DEFAULT_K)
        self._scale = index.scale
        self._done = Executions.of(context.dataset, context.space, context.goal)
        self._errors = self._counted(self._done.errors)

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return the best trial's theta and a step; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        base, space = best(history), self.context.space
        _, step = network().steps(self._tokens(base, history))
        theta = base.theta + self._scale.unscale_dtheta(step)
        left = float(np.linalg.norm(self._counted(base.error)))
        theta = fresh(theta, base, history, space, left, rng)
        return Proposal(theta, self.name, latency=time.perf_counter() - start)

    def _tokens(self, base: Outcome, history: Sequence[Outcome]) -> StepTokens:
        cheapest = sorted(range(len(history)), key=lambda n: history[n].cost)[:MAX_TRIALS]
        kept = [history[n] for n in sorted(cheapest)]
        thetas = np.clip(self._scale.theta(np.array([t.theta for t in kept])), -1.0, 1.0)
        errors = self._counted(np.array([t.error for t in kept]))
        number = next(n for n, trial in enumerate(kept) if trial is base)
        return tokens(self._done, self._errors, (thetas, errors), number)

    def _counted(self, errors: Array) -> Array:
        """Return scaled errors ``(..., m)`` that count in the cost."""
        scaled = self._scale.error(errors)
        return np.asarray(scaled[..., self.context.cost_mask != 0.0])


def _require_trained(context: Context) -> None:
    """Check the sizes of a task.

    Raises:
        InvalidValue: it has more parameters or errors than any problem of the training.
    """
    sizes = (
        ("parameters", context.space.dim, MAX_DIM),
        ("errors that count", int(np.count_nonzero(context.cost_mask)), MAX_ERRORS),
    )
    for what, number, most in sizes:
        if number > most:
            raise InvalidValue(
                f"improver transformer was trained with at most {most} {what}, task "
                f"{context.dataset.task} has {number}: use embedded"
            )
