"""Which improver is expected to do best, from instances that all of them were asked about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.evaluate.outcomes import DRAWS, MEASURED, Estimate, interval


@dataclass(frozen=True)
class Place:
    """One improver in the ranking.

    Attributes:
        improver: name.
        cost: expected cost of its next trial, mean over the instances [m].
        low, high: 90 % interval: other instances of this kind, and doubt about the outcomes [m].
        instances: how many.
        measured: how many of its proposals were executed in the recording.
        best: share of the draws in which it is the best of all.
    """

    improver: str
    cost: float
    low: float
    high: float
    instances: int
    measured: int
    best: float


def rank(estimates: Mapping[str, Sequence[Estimate]], seed: int = 0) -> list[Place]:
    """Return improvers from the best on.

    Args:
        estimates: by improver; the n-th of each is about the same instance.
        seed: of the resampling of instances.
    """
    names = [name for name, found in estimates.items() if found]
    if not names:
        return []
    draws = np.array([[e.draws for e in estimates[name]] for name in names])  # (i, n, DRAWS)
    means = _resampled(draws, np.random.default_rng([seed, len(names)]))
    first = np.argmin(means, axis=0)
    places = []
    for k, name in enumerate(names):
        found = estimates[name]
        low, high = interval(means[k])
        places.append(
            Place(
                improver=name,
                cost=float(np.mean([e.cost for e in found])),
                low=low,
                high=high,
                instances=len(found),
                measured=sum(e.kind == MEASURED for e in found),
                best=float(np.mean(first == k)),
            )
        )
    return sorted(places, key=lambda place: place.cost)


def _resampled(draws: Array, rng: np.random.Generator) -> Array:
    """Return means ``(i, DRAWS)`` over instances drawn with replacement, the same for all."""
    count = draws.shape[1]
    chosen = rng.integers(count, size=(count, DRAWS))
    picked = np.take_along_axis(draws, chosen[np.newaxis].repeat(len(draws), axis=0), axis=1)
    return np.asarray(picked.mean(axis=1))
