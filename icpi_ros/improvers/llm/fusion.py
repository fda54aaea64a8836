"""Robust fusion of several answers; their spread is the uncertainty.

Robust fusion of samples: Robust Instant Policy (Student-t); self-consistency.
"""

from __future__ import annotations

import numpy as np

from icpi_ros.core.types import Array

MEDIAN, STUDENT_T = FUSIONS = ("median", "student-t")
FREEDOM = 3.0
"""Degrees of freedom of the Student-t distribution."""
ROUNDS = 20
MAD_TO_STD = 1.4826
"""Standard deviation of normal samples per median absolute deviation."""


def fuse(samples: Array, how: str) -> tuple[Array, Array]:
    """Return location ``(d,)`` and std ``(d,)`` of samples ``(n, d)``, robustly.

    The std is 1.4826 times the median absolute deviation: that of one sample, not of the
    location; NaN for one sample, which has none.

    Args:
        samples: at least one.
        how: ``median``, or ``student-t``: the maximum-likelihood location of a Student-t
            distribution with 3 degrees of freedom and that std (Lange, Little and Taylor 1989).
    """
    middle = np.median(samples, axis=0)
    std = MAD_TO_STD * np.median(np.abs(samples - middle), axis=0)
    if len(samples) == 1:
        return middle, np.full_like(middle, np.nan)
    if how == STUDENT_T:
        return _student_t(samples, middle, std), std
    return middle, std


def _student_t(samples: Array, start: Array, std: Array) -> Array:
    """Return the location by iteratively reweighted means, a fixed number of rounds."""
    place = start
    for _ in range(ROUNDS):
        far = (samples - place) / np.maximum(std, 1e-12)
        weights = (FREEDOM + 1.0) / (FREEDOM + far**2)
        place = np.sum(weights * samples, axis=0) / np.sum(weights, axis=0)
    return np.asarray(place)
