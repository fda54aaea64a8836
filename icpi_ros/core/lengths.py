"""Lengths as people write them and as all of them are shown: in metres inside, in mm outside."""

from __future__ import annotations

import math
import re

from icpi_ros.core.errors import InvalidValue

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
    """Return a bare number as it is, or a :class:`Length` that has its unit behind it.

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
