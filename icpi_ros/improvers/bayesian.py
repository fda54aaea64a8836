"""Bayesian optimisation of the cost: a Gaussian process over theta and expected improvement.

Library ``bayesian-optimization`` (its acquisition functions and search) on the Gaussian process
of scikit-learn.  ``bo`` knows the run's costs only, as those who tune parameters do it today.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from icpi_ros.improvers.base import Context, Improver
from icpi_ros.types import Array, Outcome, Proposal

if TYPE_CHECKING:
    from sklearn.gaussian_process import GaussianProcessRegressor

MAX_TRIALS = 60
"""Only the cheapest trials are kept, so that a long history stays cheap."""
FLOOR = 1e-4
"""Costs below it count as equal [m]: contact noise is as large."""


@dataclass(frozen=True)
class BayesianSettings:
    """Tuned on training draws, see docs/baselines.md.

    Attributes:
        logarithm: model the logarithm of the cost instead of the cost.
        length: scaled length of the Matern 5/2 kernel.
        fitted: fit the length (0.1 to 10) by marginal likelihood, starting there.
        noise: variance of the observations, as a share of the variance of all of them.
        xi: margin of the expected improvement, in standard deviations of the observations.
        candidates: random points among which the search begins.
        searches: of the best candidates that are refined by L-BFGS-B.
    """

    logarithm: bool = True
    length: float = 0.5
    fitted: bool = False
    noise: float = 1e-4
    xi: float = 0.0
    candidates: int = 500
    searches: int = 2


class Bayesian(Improver):
    """Maximises the expected improvement, from the run's own trials alone."""

    name: ClassVar[str] = "bo"
    summary: ClassVar[str] = "Bayesian optimisation of the cost, from the run's trials alone"
    needs_dataset: ClassVar[bool] = False

    def __init__(self, context: Context, settings: BayesianSettings | None = None) -> None:
        """Keep the settings.

        Raises:
            InvalidValue: an option is given; it has none.
        """
        super().__init__(context)
        self._settings = settings or BayesianSettings()

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return the most promising theta; see :meth:`Improver.propose`."""
        start = time.perf_counter()
        points, targets = self._observations(history)
        spread = float(np.std(targets))
        targets = (targets - targets.mean()) / (spread if spread > 1e-9 else 1.0)
        scaled = maximise(self._model(points, targets), points, targets, self._settings, rng)
        theta = self.context.space.denormalise(scaled)
        return Proposal(theta, self.name, latency=time.perf_counter() - start)

    def _observations(self, history: Sequence[Outcome]) -> tuple[Array, Array]:
        """Return scaled points ``(n, d)`` in the box and what to maximise ``(n,)``."""
        kept: dict[bytes, tuple[Array, float]] = {}
        for trial in sorted(history, key=lambda trial: trial.cost)[:MAX_TRIALS]:
            point = np.clip(self.context.space.normalise(trial.theta), -1.0, 1.0)
            kept.setdefault(point.tobytes(), (point, self.target(trial.cost)))
        points, targets = zip(*kept.values(), strict=True)
        return np.array(points), np.array(targets)

    def target(self, cost: Array | float) -> Any:
        """Return what is maximised, for costs [m]."""
        floored = np.maximum(cost, FLOOR)
        return -np.log(floored) if self._settings.logarithm else -floored

    def _model(self, points: Array, targets: Array) -> GaussianProcessRegressor:
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import Matern

        chosen = self._settings
        bounds = (0.1, 10.0) if chosen.fitted and len(points) > 1 else "fixed"
        model = GaussianProcessRegressor(
            Matern(chosen.length, bounds, nu=2.5), alpha=chosen.noise, random_state=0
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a length at its bound is no news
            return model.fit(points, targets)


def maximise(
    model: GaussianProcessRegressor,
    points: Array,
    targets: Array,
    settings: BayesianSettings,
    rng: np.random.Generator,
) -> Array:
    """Return the scaled theta ``(d,)`` of largest expected improvement over ``targets``."""
    from bayes_opt import TargetSpace
    from bayes_opt.acquisition import ExpectedImprovement

    space = TargetSpace(None, {str(n): (-1.0, 1.0) for n in range(points.shape[1])})
    for point, target in zip(points, targets, strict=True):
        space.register(point, float(target))
    found = ExpectedImprovement(settings.xi).suggest(
        model,
        space,
        n_random=settings.candidates,
        n_smart=settings.searches,
        fit_gp=False,
        random_state=np.random.RandomState(int(rng.integers(2**31))),
    )
    return np.asarray(found, dtype=np.float64)


class BayesianWarm(Bayesian):
    """TODO"""

    name: ClassVar[str] = "bo-warm"
    summary: ClassVar[str] = "TODO"
