"""Measured times: median, a high percentile and the largest, for programs and as text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray


def times(seconds: NDArray[np.float64] | Sequence[float], percent: int = 99) -> dict[str, float]:
    """Return ``median``, ``p99`` (or another percentile) and ``max`` of at least one time."""
    return {
        "median": float(np.median(seconds)),
        f"p{percent}": float(np.percentile(seconds, float(percent))),
        "max": float(np.max(seconds)),
    }


def in_ms(found: Mapping[str, float], form: str = ".1f") -> str:
    """Return times [s] in ms, as ``median 1.2 ms  p99 3.4 ms  max 5.6 ms``."""
    return "  ".join(f"{name} {1e3 * value:{form}} ms" for name, value in found.items())
