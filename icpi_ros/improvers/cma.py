"""CMA-ES (library ``cmaes``): samples from a normal distribution that follows what was good.

Stateless: each call builds the optimiser anew and feeds it the run's trials, population by
population.  ``cma`` begins at the middle of the space, which was measured to be better than the
first attempt.  ``cma-warm`` begins where ``ridge`` would go from the first attempt; its first
adjustment is that point itself.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import Context, Improver, best, without_options
from icpi_ros.improvers.options import option
from icpi_ros.improvers.ridge import Ridge

MAX_TRIALS = 200
"""Only the latest trials count, so that a long history stays cheap."""


@dataclass(frozen=True)
class CmaOptions:
    """Tuned on training draws, see docs/baselines.md; the library's population is 6 or 7."""

    sigma: float = option(
        0.6, "first standard deviation", unit="share of the half-range", low=1e-3, high=2.0
    )
    population: int = option(4, "trials per update", low=4, high=MAX_TRIALS)
    from_best: bool = option(False, "before the first update, sample around the best trial so far")


@dataclass(frozen=True)
class CmaWarmOptions(CmaOptions):
    """The same with other defaults."""

    sigma: float = 0.1
    from_best: bool = True


class Cma(Improver):
    """CMA-ES from the middle of the space."""

    name: ClassVar[str] = "cma"
    summary: ClassVar[str] = "CMA-ES from the middle of the space"
    needs_dataset: ClassVar[bool] = False
    modules: ClassVar[tuple[str, ...]] = ("cmaes",)
    Options = CmaOptions
    options: CmaOptions

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return the next sample; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        scaled = self._next(history, rng)
        theta = self.context.space.denormalise(scaled)
        return Proposal(theta, self.name, latency=time.perf_counter() - start)

    def _next(self, history: Sequence[Outcome], rng: np.random.Generator) -> Array:
        return self._sample(np.zeros(self.context.space.dim), history[1:], rng)

    def _scaled(self, theta: Array) -> Array:
        return np.clip(self.context.space.normalise(theta), -1.0, 1.0)

    def _sample(self, mean: Array, trials: Sequence[Outcome], rng: np.random.Generator) -> Array:
        """Return a scaled sample ``(d,)`` after the full populations among ``trials``."""
        from cmaes import CMA

        size, dim = self.options.population, self.context.space.dim
        trials = trials[-MAX_TRIALS:]
        if self.options.from_best and 0 < len(trials) < size:
            mean = self._scaled(best(trials).theta)
        optimizer = CMA(
            mean,
            self.options.sigma,
            bounds=np.tile([-1.0, 1.0], (dim, 1)),
            seed=int(rng.integers(2**31)),
            population_size=size,
        )
        for begin in range(0, len(trials) - size + 1, size):
            optimizer.tell([(self._scaled(o.theta), o.cost) for o in trials[begin : begin + size]])
        return np.asarray(optimizer.ask(), dtype=np.float64)


class CmaWarm(Cma):
    """CMA-ES from where ``ridge`` would go first."""

    name: ClassVar[str] = "cma-warm"
    summary: ClassVar[str] = "CMA-ES around the first suggestion of ridge"
    needs_dataset: ClassVar[bool] = True
    Options = CmaWarmOptions

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ridge = Ridge(without_options(context))

    def _next(self, history: Sequence[Outcome], rng: np.random.Generator) -> Array:
        suggested = self._ridge.propose(history[:1], rng).theta
        mean = self._scaled(self.context.space.project(suggested)[0])
        if len(history) == 1:
            return mean
        return self._sample(mean, history[1:], rng)
