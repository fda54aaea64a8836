"""Lengths and measured times as texts: SI units inside, mm and ms where a person reads them."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from icpi_ros.core.errors import InvalidValue

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

UNITS = {"mm": 1e-3, "cm": 1e-2, "m": 1.0}
MAX_BARE = 1.0
"""A size or distance without a unit from here on [m] is most likely not meant in metres."""
_LENGTH = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(mm|cm|m)?\s*", re.ASCII)


class Length(float):
    """Length [m] that was written with its unit; equal to the number."""


def parse_length(text: str, *, max_bare: float = MAX_BARE) -> float:
    """Return a length [m]: ``5mm``, ``0.5cm``, ``0.005m``, or a bare number of metres.

    Args:
        text: as it was written.
        max_bare: a bare number must be smaller [m]; infinite for coordinates, which may be large.

    Raises:
        InvalidValue: something else, or a bare number that cannot be metres.
    """
    match = _LENGTH.fullmatch(text)
    if match is None or not math.isfinite(float(match[1])):
        raise InvalidValue(f"{text!r} is not a length: write 5mm, 0.5cm or 0.005 (metres)")
    number, unit = float(match[1]), match[2]
    if unit is None and abs(number) >= max_bare:
        raise InvalidValue(
            f"{text.strip()} without a unit would be metres: write {match[1]}mm, {match[1]}cm or "
            f"{match[1]}m"
        )
    return _metres(number, unit or "m")


def parse_quantity(text: str) -> float:
    """Return a bare number as it is, or a :class:`Length` [m] that has its unit behind it.

    Raises:
        ValueError: neither.
    """
    match = _LENGTH.fullmatch(text)
    return Length(_metres(float(match[1]), match[2])) if match and match[2] else float(text)


def _metres(number: float, unit: str) -> float:
    # Divided, not multiplied, so that 5mm is the same float as 0.005.
    return number / round(1.0 / UNITS[unit])


def millimetres(metres: float) -> str:
    """Return a length [m] in mm, with three digits down to 0.1 mm; ``-`` if there is none."""
    if not math.isfinite(metres):
        return "-"
    value = 1000.0 * metres
    if 0.0 < abs(value) < 0.005:
        return f"{value:.1g} mm"
    decimals = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    return f"{value:.{decimals}f} mm"


def multiple(factor: float) -> str:
    """Return a positive factor with two digits at least: ``0.037 x``, ``2.4 x``, ``120 x``."""
    return f"{factor:.2g} x" if factor < 9.95 else f"{factor:.0f} x"


def times(seconds: NDArray[np.float64] | Sequence[float], percent: int = 99) -> dict[str, float]:
    """Return ``median``, ``p99`` (or another percentile) and ``max`` of at least one time."""
    import numpy as np  # short commands show lengths alone

    return {
        "median": float(np.median(seconds)),
        f"p{percent}": float(np.percentile(seconds, float(percent))),
        "max": float(np.max(seconds)),
    }


def in_ms(found: Mapping[str, float], form: str = ".1f") -> str:
    """Return times [s] in ms, as ``median 1.2 ms  p99 3.4 ms  max 5.6 ms``."""
    return "  ".join(f"{name} {1e3 * value:{form}} ms" for name, value in found.items())
