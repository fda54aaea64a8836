"""Gauss-Newton with in-run hindsight: a local Jacobian, and the step that zeroes the error.

The Jacobian J of the error in theta is fitted, in scaled coordinates around the best trial so far,

* to the nearest examples: a label says that the error e goes to zero along dtheta, e = -J dtheta;
* to all pairs of the run's own trials: e_j - e_i = J (theta_j - theta_i), exact under the run's
  hidden physics, so they weigh more, and the more the nearer the two are.

The step has least norm (tasks may have more parameters than errors).  The first one is that of
``ridge``: from a single trial the examples tell the adjustment better than a Jacobian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from icpi_ros.context.regression import damped_step, ordered_pairs, shortened, weighted_ridge
from icpi_ros.improvers.base import Context, best, failures
from icpi_ros.improvers.ridge import Ridge, RidgeSettings
from icpi_ros.types import Array, Outcome

MAX_TRIALS = 20
"""Only the trials nearest to the best one make pairs, so that a long history stays cheap."""


@dataclass(frozen=True)
class GaussNewtonSettings:
    """Tuned on training draws, see docs/baselines.md.

    Attributes:
        ridge_first: take the first step of ``ridge``.
        label_softening: scaled length of an adjustment below which examples weigh the same; the
            longer ones say less about the local Jacobian.
        pair_weight: of a pair, over its squared scaled distance.
        softening: scaled distance below which pairs weigh the same.
        reach: scaled distance from the best trial over which a pair loses its weight.
        penalty: ridge on the Jacobian.
        damping: of the step, as a share of the largest singular value.
        max_step: longest scaled step.
        shrink: factor on the step per trial since the best one, none of which improved on it.
        doubt: factor on the weight of the examples per trial that did not improve.
    """

    ridge_first: bool = True
    label_softening: float = 0.5
    pair_weight: float = 5.0
    softening: float = 0.05
    reach: float = 0.5
    penalty: float = 0.03
    damping: float = 0.3
    max_step: float = 2.0
    shrink: float = 0.5
    doubt: float = 0.1


class GaussNewton(Ridge):
    """Steps from the best trial by a fitted Jacobian; see the module's text."""

    name: ClassVar[str] = "gauss-newton"
    summary: ClassVar[str] = "Gauss-Newton, Jacobian from near examples and the run's own pairs"
    option_names: ClassVar[tuple[str, ...]] = ("k",)
    local: ClassVar[RidgeSettings] = RidgeSettings(k=15, penalty=0.005, bandwidth=1.0)

    def __init__(
        self,
        context: Context,
        settings: GaussNewtonSettings | None = None,
        local: RidgeSettings | None = None,
    ) -> None:
        """Index the data set.

        Raises:
            InvalidValue: a wrong option, or too few examples.
        """
        super().__init__(context, local)
        self._settings = settings or GaussNewtonSettings()

    def _step(self, history: Sequence[Outcome]) -> tuple[Outcome, Array]:
        base, chosen = best(history), self._settings
        if len(history) == 1 and chosen.ridge_first:
            return base, self._local_step(base)
        jacobian = self._jacobian(base, history)
        step = damped_step(jacobian, self._index.scale.error(base.error), chosen.damping)
        return base, chosen.shrink ** failures(history) * shortened(step, chosen.max_step)

    def _jacobian(self, base: Outcome, history: Sequence[Outcome]) -> Array:
        """Return the scaled Jacobian ``(m, d)`` of the error around ``base``."""
        chosen = self._settings
        _, points, labels, weights = self._neighbourhood(base)
        steps, changes, trust = self._pairs(base, history)
        length = np.linalg.norm(labels, axis=1) / chosen.label_softening
        examples = chosen.doubt ** failures(history) * weights / (1.0 + length**2)
        return weighted_ridge(
            np.vstack([labels, steps]),
            np.vstack([-points[:, self.context.space.dim :], changes]),
            np.concatenate([examples, trust]),
            np.full(labels.shape[1], chosen.penalty),
        ).T

    def _pairs(self, base: Outcome, history: Sequence[Outcome]) -> tuple[Array, Array, Array]:
        """Return scaled adjustments ``(p, d)``, error changes ``(p, m)``, weights of pairs."""
        scale, chosen = self._index.scale, self._settings
        thetas = scale.theta(np.array([outcome.theta for outcome in history]))
        errors = scale.error(np.array([outcome.error for outcome in history]))
        away = np.linalg.norm(thetas - scale.theta(base.theta), axis=1)
        near = np.argsort(away, kind="stable")[:MAX_TRIALS]
        i, j = (near[ends] for ends in ordered_pairs(len(near)))
        i, j = i[i < j], j[i < j]
        steps = thetas[j] - thetas[i]
        weights = chosen.pair_weight / (np.sum(steps**2, axis=1) + chosen.softening**2)
        weights *= np.exp(-0.5 * (np.maximum(away[i], away[j]) / chosen.reach) ** 2)
        return steps, errors[j] - errors[i], weights
