"""Bayesian optimisation of the cost: a Gaussian process over theta and expected improvement.

Library ``bayesian-optimization`` (its acquisition functions and search) on the Gaussian process
of scikit-learn.  ``bo`` knows the run's costs only, as those who tune parameters use it today.
``bo-warm`` takes the first step of ``ridge`` and has prior observations: the costs that the
data set's executions have to the run's goal, under those physics samples that explain the run's
outcomes best; the less likely a sample, the noisier.
"""

from __future__ import annotations

import functools
import math
import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.base import Context, Improver, without_options
from icpi_ros.improvers.options import option
from icpi_ros.improvers.ridge import Ridge
from icpi_ros.learn.executions import PhysicsSamples

if TYPE_CHECKING:
    from bayes_opt.acquisition import ExpectedImprovement
    from sklearn.gaussian_process import GaussianProcessRegressor

MAX_TRIALS = 60
"""Only the cheapest trials are kept, so that a long history stays cheap."""
FLOOR = 1e-4
"""Costs below it count as equal [m]: contact noise is as large."""
MAX_NOISE = 10.0
"""Largest noise of a prior observation, a share of the variance: next to no information."""
LENGTHS = (0.1, 10.0)
"""Scaled lengths of the kernel."""


@dataclass(frozen=True)
class BayesianOptions:
    """Tuned on training draws, see docs/baselines.md."""

    logarithm: bool = option(True, "model the logarithm of the cost instead of the cost")
    length: float = option(
        0.5, "scaled length of the Matern 5/2 kernel", low=LENGTHS[0], high=LENGTHS[1]
    )
    fitted: bool = option(False, "fit the length by marginal likelihood, starting there")
    initial: int = option(2, "first proposals that are uniform draws", low=0, high=1000)
    noise: float = option(
        1e-4,
        "variance of the run's observations",
        unit="share of the variance of all",
        low=1e-6,
        high=MAX_NOISE,
    )
    candidates: int = option(
        500, "random points among which the search begins", low=10, high=10_000
    )
    searches: int = option(2, "best candidates that are refined by L-BFGS-B", low=1, high=10)


@dataclass(frozen=True)
class BayesianWarmOptions(BayesianOptions):
    """Options of the prior observations, and other defaults."""

    length: float = 0.2
    initial: int = 0
    draws: int = option(
        3, "physics draws of the data set whose costs are prior observations", low=0, high=100
    )
    prior_noise: float = option(
        0.1,
        "variance of the observations of the likeliest draw",
        unit="share of the variance of all",
        low=1e-6,
        high=MAX_NOISE,
    )


@dataclass(frozen=True)
class Observations:
    """Observations that the Gaussian process is fitted to.

    Attributes:
        points: ``(n, d)`` scaled thetas.
        targets: ``(n,)`` values to maximise.
        noise: ``(n,)`` variances, as a share of the variance of all targets.
    """

    points: Array
    targets: Array
    noise: Array

    def __add__(self, other: Observations) -> Observations:
        """Put two sets together."""
        return Observations(
            np.concatenate([self.points, other.points]),
            np.concatenate([self.targets, other.targets]),
            np.concatenate([self.noise, other.noise]),
        )


class Bayesian(Improver):
    """Maximises the expected improvement, from the run's own trials alone."""

    name: ClassVar[str] = "bo"
    summary: ClassVar[str] = "Bayesian optimisation of the cost, from the run's trials alone"
    needs_dataset: ClassVar[bool] = False
    modules: ClassVar[tuple[str, ...]] = ("bayes_opt", "sklearn")
    Options = BayesianOptions
    options: BayesianOptions

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return the most promising theta; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        theta = self._next(history, rng)
        return Proposal(theta, self.name, latency=time.perf_counter() - start)

    def _next(self, history: Sequence[Outcome], rng: np.random.Generator) -> Array:
        if len(history) <= self.options.initial:
            return self.context.space.sample(rng)
        scaled = _maximise(self._observed(history), self._prior(history), self.options, rng)
        return self.context.space.denormalise(scaled)

    def _observed(self, history: Sequence[Outcome]) -> Observations:
        """Return the run's own observations, each theta once."""
        kept: dict[bytes, tuple[Array, float]] = {}
        for trial in sorted(history, key=lambda trial: trial.cost)[:MAX_TRIALS]:
            point = np.clip(self.context.space.normalise(trial.theta), -1.0, 1.0) + 0.0  # no -0
            kept.setdefault(point.tobytes(), (point, trial.cost))
        points, costs = zip(*kept.values(), strict=True)
        noise = np.full(len(points), self.options.noise)
        return Observations(np.array(points), self._target(np.array(costs)), noise)

    def _prior(self, history: Sequence[Outcome]) -> Observations:
        """Return prior observations; here none."""
        return Observations(np.empty((0, self.context.space.dim)), np.empty(0), np.empty(0))

    def _target(self, cost: Array) -> Array:
        """Return the values to maximise of costs [m]."""
        floored = np.maximum(cost, FLOOR)
        return -np.log(floored) if self.options.logarithm else -floored


class BayesianWarm(Bayesian):
    """The same with a first step and prior observations from the data set."""

    name: ClassVar[str] = "bo-warm"
    summary: ClassVar[str] = "Bayesian optimisation, first step and prior from the data set"
    needs_dataset: ClassVar[bool] = True
    Options = BayesianWarmOptions
    options: BayesianWarmOptions

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._ridge = Ridge(without_options(context))
        self._draws = PhysicsSamples(
            context.dataset, context.space, context.goal, context.cost_mask
        )

    def _next(self, history: Sequence[Outcome], rng: np.random.Generator) -> Array:
        if len(history) == 1:
            return self._ridge.propose(history, rng).theta
        return super()._next(history, rng)

    def _prior(self, history: Sequence[Outcome]) -> Observations:
        recent = history[-MAX_TRIALS:]
        thetas = np.array([trial.theta for trial in recent])
        errors = np.array([trial.error for trial in recent])
        prior, chosen = super()._prior(history), self.options
        for points, costs, likely in self._draws.alike(thetas, errors, chosen.draws):
            noise = min(chosen.prior_noise / max(likely, 1e-9), MAX_NOISE)
            prior += Observations(points, self._target(costs), np.full(len(points), noise))
        return prior


def _maximise(
    own: Observations, prior: Observations, options: BayesianOptions, rng: np.random.Generator
) -> Array:
    """Return the scaled theta ``(d,)`` with the largest expected improvement on ``own``."""
    from bayes_opt import TargetSpace
    from bayes_opt.acquisition import ExpectedImprovement

    seen = own + prior
    middle, std = float(np.mean(seen.targets)), float(np.std(seen.targets))
    std = std if std > 1e-9 else 1.0
    model = _fitted(seen.points, (seen.targets - middle) / std, seen.noise, options)
    space = TargetSpace(None, {str(n): (-1.0, 1.0) for n in range(own.points.shape[1])})
    for point, target in zip(own.points, own.targets, strict=True):
        space.register(point, (float(target) - middle) / std)
    search = ExpectedImprovement(0.0)
    search.base_acq = functools.partial(_expected_improvement, search)
    found = search.suggest(
        model,
        space,
        n_random=options.candidates,
        n_smart=options.searches,
        fit_gp=False,
        random_state=np.random.RandomState(int(rng.integers(2**31))),
    )
    return np.asarray(found, dtype=np.float64)


def _expected_improvement(search: ExpectedImprovement, mean: Array, std: Array) -> Array:
    """Return the library's expected improvement ``(n,)`` with the same bits in a tenth of its time.

    It asks scipy's distributions, whose checks of each point take longer than the prediction.
    """
    from scipy.special import ndtr

    above = mean - search.y_max - search.xi
    z = above / std
    density = np.exp(-(z**2) / 2.0) / math.sqrt(2.0 * math.pi)
    return np.asarray(above * ndtr(z) + std * density)


class _Posterior:
    """Predictions of a fitted Gaussian process, the same as scikit-learn's in half its time.

    A search asks for some fifty points one by one, and its checks of each take longer than the
    prediction.
    """

    def __init__(self, fitted: GaussianProcessRegressor) -> None:
        self._kernel, self._weights, self._lower = fitted.kernel_, fitted.alpha_, fitted.L_
        self.X_train_ = fitted.X_train_  # the library takes their dimension

    def predict(self, points: Array, return_std: bool) -> tuple[Array, Array]:
        """Return mean and standard deviation ``(n,)`` at scaled thetas ``(n, d)``.

        ``return_std`` is what the library asks for: True.
        """
        from scipy.linalg import solve_triangular

        across = self._kernel(points, self.X_train_)
        explained = solve_triangular(self._lower, across.T, lower=True, check_finite=False)
        variance = self._kernel.diag(points) - np.einsum("ij,ji->i", explained.T, explained)
        return across @ self._weights, np.sqrt(np.maximum(variance, 0.0))


def _fitted(points: Array, targets: Array, noise: Array, options: BayesianOptions) -> _Posterior:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern

    bounds: Any = LENGTHS if options.fitted and len(points) > 1 else "fixed"
    kernel = Matern(options.length, bounds, nu=2.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a length at its bound is no news
        model = GaussianProcessRegressor(kernel, alpha=noise, random_state=0)
        return _Posterior(model.fit(points, targets))
