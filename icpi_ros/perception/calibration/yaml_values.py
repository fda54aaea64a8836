"""Numbers out of YAML that was loaded as text; every refusal is an :class:`InvalidValue`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array


def data(content: Mapping[str, Any], key: str, shape: tuple[int, int]) -> Array:
    """Return a matrix of ROS's form ``{rows, cols, data}``."""
    block = content.get(key)
    if not isinstance(block, dict):
        raise InvalidValue(f"{key} is missing or no block of rows, cols, data")
    return floats(block.get("data"), f"{key}.data", shape[0] * shape[1]).reshape(shape)


def floats(values: Any, name: str, count: int) -> Array:
    """Return ``count`` numbers; YAML's spelling of NaN is one, finiteness is the camera's rule."""
    if not isinstance(values, list) or len(values) != count:
        found = f"{len(values)} values" if isinstance(values, list) else "nothing"
        raise InvalidValue(f"{name} must have {count} numbers, has {found}")
    try:
        return np.array([float(str(v).lstrip(".") if "n" in str(v).lower() else v) for v in values])
    except (TypeError, ValueError):
        raise InvalidValue(f"{name} holds something that is no number") from None


def whole(content: Mapping[str, Any], key: str, name: str) -> int:
    """Return a whole number that is not negative."""
    text = content.get(key)
    try:
        value = float(text)  # type: ignore[arg-type]  # what is no number is refused below
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and value == int(value) and 0 <= value <= 1_000_000):
        raise InvalidValue(f"{name} is {text!r}: must be an integer from 0 to 1000000")
    return int(value)
