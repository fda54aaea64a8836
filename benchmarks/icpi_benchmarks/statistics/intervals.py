"""Bootstrap intervals of means and medians over instances, at a level of 95 %."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.types import Array

RESAMPLES = 10_000
LEVEL = 0.95
"""Probability of an interval."""
_CHUNK = 1_000
_KEPT = 500
"""Instances up to which the resamples of the last runs are kept: 10 MB."""
_BOOTSTRAP_STREAM = 0x626F6F74
"""Keeps the resamples apart from all other draws of the same seed."""


def resampled_means(values: Array, seed: int) -> Array:
    """Return means over resampled instances: the same resamples for every column.

    Args:
        values: ``(N, ...)`` one row per instance, finite.
        seed: of the run; the same seed and N give the same resamples.

    Returns:
        ``(RESAMPLES, ...)``.
    """
    count = len(values)
    flat = values.reshape(count, -1)
    drawn = _drawn if count <= _KEPT else _draws
    means = [counts.astype(np.float64) @ flat / count for counts in drawn(count, seed)]
    return np.concatenate(means).reshape(RESAMPLES, *values.shape[1:])


def _draws(count: int, seed: int) -> Iterator[NDArray[np.uint16]]:
    """Yield ``(_CHUNK, count)`` how often each instance is in each resample."""
    rng = np.random.default_rng([seed, _BOOTSTRAP_STREAM])
    offsets = count * np.arange(_CHUNK)[:, np.newaxis]
    for _ in range(RESAMPLES // _CHUNK):  # bounded memory for thousands of instances
        drawn = rng.integers(count, size=(_CHUNK, count)) + offsets
        counts = np.bincount(drawn.ravel(), minlength=_CHUNK * count).reshape(_CHUNK, count)
        yield counts.astype(np.uint16)


@lru_cache(maxsize=2)
def _drawn(count: int, seed: int) -> tuple[NDArray[np.uint16], ...]:
    return tuple(_draws(count, seed))


def median_interval(values: Array) -> Array:
    """Return the ends ``(2, ...)`` of the bootstrap interval of ``(N, ...)`` values' median.

    The bootstrap distribution of a (lower) median is known in closed form, so nothing is drawn:
    a resample of N has it at most at the k-th smallest value if at least half of its draws are
    among the k smallest, a binomial probability with p = k/N (Efron, *The Jackknife, the
    Bootstrap and Other Resampling Plans*, 1982, section 10.3).  The upper end is that of the
    upper median, the mirror image; for odd N both medians are the same.
    """
    count = len(values)
    at_least_half = _binomial_tail(count, (count + 1) // 2)
    rank = int(np.searchsorted(at_least_half, 0.5 - 0.5 * LEVEL))
    return np.asarray(np.sort(values, axis=0)[[rank, count - 1 - rank]])


def _binomial_tail(count: int, half: int) -> Array:
    """Return P(Binomial(count, k / count) >= half) for k = 1 to count."""
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, count + 1)))])
    hits = np.arange(half, count + 1)
    ways = log_factorial[count] - log_factorial[hits] - log_factorial[count - hits]
    share = np.arange(1, count)[:, np.newaxis] / count
    terms = np.exp(ways + hits * np.log(share) + (count - hits) * np.log1p(-share))
    return np.append(np.minimum(terms.sum(axis=1), 1.0), 1.0)


def percentile_interval(resampled: Array) -> Array:
    """Return the two ends ``(2, ...)`` of the percentile interval.

    Order statistics without interpolation, so that infinite ratios stay infinite.
    """
    ends = (0.5 - 0.5 * LEVEL, 0.5 + 0.5 * LEVEL)
    return np.asarray(np.quantile(resampled, ends, axis=0, method="inverted_cdf"))


def divided(above: Array | float, below: Array | float) -> Array:
    """Return the quotient; equal numbers give exactly 1, zeros included."""
    above, below = np.asarray(above, dtype=np.float64), np.asarray(below, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(above == below, 1.0, above / below)
