"""The default improver: learns the run's hidden physics in context and plans with it.

At every step, from the data set and from all trials of the run:

1. :mod:`icpi_ros.learn.outcome.model` predicts how outcomes vary with theta, and how that varies
   with a few latent numbers which stand for the hidden physics (fitted once per data set).
2. :mod:`icpi_ros.learn.outcome.posterior` conditions it on the run's trials (in-run hindsight).
3. The theta after which the best cost of the run is expected to be lowest (expected improvement,
   Mockus 1975) is searched among quasi-random candidates, all labels of the data set and
   Gauss-Newton steps, then refined (the planning of DICP, arXiv 2502.19009, with a closed-form
   model in place of a transformer).

Forward, then invert: averaging labels fails where there are several solutions (rope), predicting
outcomes does not.  No weights are stored, no network is asked.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import Context, IndexedImprover, IndexedOptions, best
from icpi_ros.improvers.options import fixed
from icpi_ros.learn.outcome.model import outcome_model
from icpi_ros.learn.outcome.posterior import Posterior

SOBOL_CANDIDATES = 256
"""Quasi-random candidates over the whole box."""
MAX_LABELS = 256
RADII = (0.15, 0.04, 0.01)
"""Scaled standard deviation of the random candidates of each refinement."""
RANDOM_CANDIDATES = 32
"""Of each refinement, around the best one so far."""
KEPT_CANDIDATES = 3
"""Candidates that go into the next refinement, each with a Gauss-Newton step of its own."""
NEWTON_REACH = 0.3
NEWTON_OFFSET = 1e-3
"""Scaled half-width of the central differences of the predicted error."""
MIN_SLOPE = 1e-2
"""Singular values of the slope below this share of the largest are not inverted."""
MAX_TRIALS = 12
"""Only the cheapest trials count, so that a long history stays cheap."""
PREDICTION_DRAWS = 256
PLANNING_DRAWS = 64
MEAN_SHARE = 1e-3
"""Weight of the plain expected cost: decides where no candidate promises an improvement."""


@dataclass(frozen=True)
class EmbeddedOptions(IndexedOptions):
    """None: the model sees all examples."""

    k: int = fixed(IndexedOptions.k)
    features: str = fixed(IndexedOptions.features)


class Embedded(IndexedImprover):
    """Latent-physics outcome model and planning; see the module's text."""

    name: ClassVar[str] = "embedded"
    summary: ClassVar[str] = "learns the hidden physics in context and plans with it; no key needed"
    Options = EmbeddedOptions

    def __init__(self, context: Context) -> None:
        """Fit the data set (seconds, once per process) and lay out candidates.

        Raises:
            InvalidValue: an option, or fewer than 20 examples.
        """
        super().__init__(context)
        self._model = outcome_model(context.dataset, context.space, context.cost_mask)
        self._candidates = self._lay_out()
        self._prior = self._model.predict(self._inputs(self._candidates))
        self._draws = _normal_draws(len(self._model.counted))

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return the best theta found, predicted cost and its std; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        space = self.context.space
        trials = _cheapest(history)
        posterior = self._posterior(trials)
        first = space.normalise(trials[0].theta)
        scaled = self._search(posterior, first, trials[0].cost, rng)
        theta = self._fresh(space.denormalise(scaled), best(history), history, rng)
        costs, stds = self._forecast(posterior, theta[np.newaxis])
        latency = time.perf_counter() - start
        predicted = float(costs[0]), float(stds[0])
        return Proposal(theta, self.name, "", latency, *predicted)

    def forecast(self, history: Sequence[Outcome], thetas: Array) -> tuple[Array, Array]:
        """Return mean and standard deviation ``(n,)`` [m] of the costs of thetas ``(n, d)``."""
        return self._forecast(self._posterior(_cheapest(history)), thetas)

    def _posterior(self, trials: Sequence[Outcome]) -> Posterior:
        """Condition the model on trials of the run."""
        thetas = self.context.space.normalise(np.array([trial.theta for trial in trials]))
        errors = np.array([trial.error for trial in trials])
        return Posterior.of(self._model, thetas, errors, self.context.goal)

    def _lay_out(self) -> Array:
        """Return scaled thetas ``(c, d)``: quasi-random ones and the data set's labels."""
        from scipy.stats import qmc

        space, data = self.context.space, self.context.dataset
        sobol = qmc.Sobol(space.dim, rng=np.random.default_rng(0)).random(SOBOL_CANDIDATES)
        labels = np.unique(space.normalise(data.theta + data.dtheta).round(6), axis=0)
        every = max(1, -(-len(labels) // MAX_LABELS))
        candidates = np.concatenate([2.0 * sobol - 1.0, labels[::every]])
        return np.asarray(np.clip(candidates, -1.0, 1.0))

    def _inputs(self, scaled: Array) -> Array:
        return self._model.inputs(scaled, self.context.goal)

    # --- planning -------------------------------------------------------------------------------

    def _search(
        self, posterior: Posterior, base: Array, lowest: float, rng: np.random.Generator
    ) -> Array:
        """Return the scaled theta ``(d,)`` that promises most; ``base`` cost ``lowest`` [m]."""
        found = self._promise(posterior, self._candidates, self._prior, lowest)
        order = np.argsort(found, kind="stable")[: KEPT_CANDIDATES - 1]
        kept = np.concatenate([self._candidates[order], np.clip(base, -1.0, 1.0)[np.newaxis]])
        for radius in RADII:
            around = kept[0] + radius * rng.standard_normal((RANDOM_CANDIDATES, len(base)))
            stepped = self._newton(posterior, kept)
            points = np.clip(np.concatenate([kept, stepped, around]), -1.0, 1.0)
            prior = self._model.predict(self._inputs(points))
            costs = self._promise(posterior, points, prior, lowest)
            kept = points[np.argsort(costs, kind="stable")[:KEPT_CANDIDATES]]
        return np.asarray(kept[0])

    def _promise(
        self, posterior: Posterior, points: Array, prior: tuple[Array, Array], lowest: float
    ) -> Array:
        """Return the run's expected best cost ``(n,)`` [m] after trying scaled thetas ``(n, d)``.

        The mean over fixed draws of min(cost, lowest); low is good.
        """
        mean, variance = posterior.predict(points, prior)
        mean = mean + self._model.offset(self.context.goal)
        squares = np.zeros((len(points), PLANNING_DRAWS))
        for k, unit in enumerate(self._model.unit):
            noise = np.sqrt(variance[:, k : k + 1]) * self._draws[:, k]
            squares += (unit * (mean[:, k : k + 1] + noise)) ** 2
        costs = np.sqrt(squares)
        best_so_far = np.minimum(costs, lowest).mean(axis=1)
        return np.asarray(best_so_far + MEAN_SHARE * costs.mean(axis=1))

    def _newton(self, posterior: Posterior, points: Array) -> Array:
        """Return scaled thetas ``(n, d)`` one Gauss-Newton step on from ``points``."""
        n, d = points.shape
        shifts = NEWTON_OFFSET * np.concatenate([np.zeros((1, d)), np.eye(d), -np.eye(d)])
        probes = (points[:, np.newaxis] + shifts).reshape(-1, d)
        prior = self._model.predict(self._inputs(probes))
        means = posterior.predict(probes, prior)[0] + self._model.offset(self.context.goal)
        values = (means * self._model.unit).reshape(n, 2 * d + 1, -1)
        slopes = (values[:, 1 : d + 1] - values[:, d + 1 :]) / (2.0 * NEWTON_OFFSET)
        inverse = np.linalg.pinv(slopes, rcond=MIN_SLOPE)
        steps = -np.einsum("nm,nmd->nd", values[:, 0], inverse)
        length = np.maximum(np.linalg.norm(steps, axis=1, keepdims=True), 1e-12)
        return np.asarray(points + steps * np.minimum(1.0, NEWTON_REACH / length))

    def _forecast(self, posterior: Posterior, thetas: Array) -> tuple[Array, Array]:
        points = np.clip(self.context.space.normalise(thetas), -1.0, 1.0)
        mean, variance = posterior.predict(points, self._model.predict(self._inputs(points)))
        mean = mean + self._model.offset(self.context.goal)
        std = np.sqrt(variance + posterior.noise**2)
        draws = np.random.default_rng(0).standard_normal((PREDICTION_DRAWS, 1, mean.shape[1]))
        costs = np.linalg.norm((mean + std * draws) * self._model.unit, axis=2)
        return costs.mean(axis=0), costs.std(axis=0)


def _cheapest(history: Sequence[Outcome]) -> list[Outcome]:
    return sorted(history, key=lambda trial: trial.cost)[:MAX_TRIALS]


def _normal_draws(dim: int) -> Array:
    """Return PLANNING_DRAWS quasi-random standard normal samples ``(n, dim)``, always the same."""
    from scipy.stats import norm, qmc

    uniform = qmc.Sobol(dim, rng=np.random.default_rng(1)).random(PLANNING_DRAWS)
    return np.asarray(norm.ppf(0.999 * uniform + 0.0005))
