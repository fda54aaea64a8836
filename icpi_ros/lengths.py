"""Lengths as people write them and as all of them are shown: in metres inside, in mm outside."""

from __future__ import annotations

import math
import re

from icpi_ros.errors import InvalidValue

UNITS = {"mm": 1e-3, "cm": 1e-2, "m": 1.0}
MAX_BARE = 1.0
"""A number without a unit from here on [m] is most likely not meant in metres."""
_LENGTH = re.compile(r"\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*(mm|cm|m)?\s*")


def parse_length(text: str) -> float:
    """Return a length [m]: ``5mm``, ``0.5cm``, ``0.005m``, or a bare number of metres.

    Raises:
        InvalidValue: something else, or a bare number that cannot be metres.
    """
    match = _LENGTH.fullmatch(text)
    if match is None or not math.isfinite(float(match[1])):
        raise InvalidValue(f"{text!r} is not a length: write 5mm, 0.5cm or 0.005 (metres)")
    number, unit = float(match[1]), match[2]
    if unit is None and abs(number) >= MAX_BARE:
        raise InvalidValue(
            f"{text.strip()} without a unit would be metres: write {match[1]}mm, {match[1]}cm or "
            f"{match[1]}m"
        )
    # Divided, not multiplied, so that 5mm is the same float as 0.005.
    return number / round(1.0 / UNITS[unit or "m"])


def millimetres(metres: float) -> str:
    """Return a length [m] in mm with three digits; ``-`` if there is none."""
    if not math.isfinite(metres):
        return "-"
    value = 1000.0 * metres
    decimals = 0 if value >= 99.95 else 1 if value >= 9.995 else 2
    return f"{value:.{decimals}f} mm"
