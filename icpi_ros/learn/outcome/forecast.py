"""Forecast of a cost: the middle of the interval that holds 68 % of outcomes, and half its width.

Deviations have heavier tails than a normal distribution: most physics is described better than the
standard deviation says, and a contact that is made or missed is off by far more.  Over samples that
are left out and over runs they follow Student's t with three degrees of freedom.  Near the goal the
cost, a norm, is skewed as well, so its mean and standard deviation would promise too much.  What is
then left, by task, is in :mod:`icpi_ros.learn.outcome.recalibration`.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.learn.outcome.belief import OutcomeBelief
from icpi_ros.learn.quasi_random import chi_squared_quantiles, normal_quantiles, sobol

FREEDOM = 3
"""Degrees of freedom of the deviations."""
DRAWS = 1024
CENTRAL = (0.16, 0.84)
"""Quantiles of the interval."""


def forecast(belief: OutcomeBelief, points: Array) -> tuple[Array, Array]:
    """Return middle and half-width ``(n,)`` [m] of 68 % of the costs of thetas ``(n, d)``."""
    mean, variance = belief.predict(points)
    std = belief.caution * np.sqrt(variance + belief.noise**2)
    draws = _deviations(mean.shape[1])[:, np.newaxis]
    costs = np.linalg.norm((mean + std * draws) * belief.unit, axis=2)
    low, high = np.quantile(costs, CENTRAL, axis=0)
    middle, width = belief.recalibration
    return middle * 0.5 * (low + high), width * 0.5 * (high - low)


@lru_cache(maxsize=8)
def _deviations(dim: int) -> Array:
    """Return quasi-random draws ``(DRAWS, dim)`` of Student's t, of unit variance."""
    uniform = np.maximum(sobol(dim + 1, DRAWS, seed=0), 1e-6)
    scale = chi_squared_quantiles(uniform[:, :1], FREEDOM) / (FREEDOM - 2.0)
    return normal_quantiles(np.minimum(uniform[:, 1:], 1.0 - 1e-6)) / np.sqrt(scale)
