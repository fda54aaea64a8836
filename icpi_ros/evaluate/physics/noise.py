"""What residuals say about noise: its size, how long it lasts along a path, who is an outlier."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array

FLOOR = 3e-4
"""Smallest noise that is believed [m]: simulated contact alone makes as much."""
WIDTH = 3.0
"""Residuals of so many standard deviations count half."""
_MAD = 1.4826
"""From the median absolute residual to a standard deviation of normal noise."""


@dataclass(frozen=True)
class Noise:
    """Noise of ``n`` samples.

    Attributes:
        deviation: standard deviation of a coordinate [m].
        shared: how many neighbouring samples tell as much as one.
        rough: ``(T,)`` how rough the simulation of each trial is [m].
        scale: ``(n,)`` factor that makes a sample's residual count as it should [1/m].
    """

    deviation: float
    shared: float
    rough: Array
    scale: Array


def noise_of(
    residuals: Array, lengths: Sequence[int], rough: Array, repeats: Sequence[int]
) -> Noise:
    """Return the noise in residuals ``(n, 3)`` [m] of trials of ``lengths`` samples.

    What is ``rough`` ``(T,)`` [m] in a simulated path lasts along all of it and is the same
    whenever the same theta is simulated: together, the ``repeats`` of a theta never tell more than
    one sample with that noise.  A constant offset of a trial is no noise.
    """
    parts = np.split(residuals, np.cumsum(lengths)[:-1])
    level = np.concatenate([part - np.median(part, axis=0) for part in parts])
    sizes = np.linalg.norm(residuals, axis=1)
    moving = np.median(np.abs(level), axis=0) > 0.1 * FLOOR
    seen = level[:, moving] if moving.any() else level
    deviation = max(FLOOR, _MAD * float(np.median(np.abs(seen))))
    weights = 1.0 / (1.0 + (sizes / (WIDTH * deviation)) ** 2)
    shared = _shared(np.sqrt(weights)[:, np.newaxis] * seen, lengths)
    lasting = np.repeat(np.multiply(lengths, repeats) * rough**2, lengths)
    scale = np.sqrt(weights / (shared * deviation**2 + lasting))
    return Noise(deviation, shared, rough, scale)


def _shared(residuals: Array, lengths: Sequence[int]) -> float:
    """Return the correlation time in samples: 1 + 2 sum of correlations up to the first below 0.

    Geyer's initial sequence for the variance of a mean, over all trials together.
    """
    parts = np.split(residuals, np.cumsum(lengths)[:-1])
    total = sum(float(np.sum(part**2)) for part in parts)
    if total <= 0.0:
        return 1.0
    time = 1.0
    for lag in range(1, max(2, max(lengths) // 2)):
        correlation = sum(float(np.sum(part[lag:] * part[:-lag])) for part in parts) / total
        if correlation <= 0.0:
            break
        time += 2.0 * correlation
    return time
