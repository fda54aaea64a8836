"""Numbers out of a camera's YAML; every refusal is an :class:`InvalidValue`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.core.yaml_files import number, shown


def data(content: Mapping[str, Any], key: str, shape: tuple[int, int]) -> Array:
    """Return a matrix of ROS's form ``{rows, cols, data}``."""
    block = content.get(key)
    if not isinstance(block, dict):
        raise InvalidValue(f"{key} is missing or no block of rows, cols, data")
    return floats(block.get("data"), f"{key}.data", shape[0] * shape[1]).reshape(shape)


def floats(values: Any, name: str, count: int) -> Array:
    """Return ``count`` numbers; NaN is one, finiteness is the camera's rule."""
    if not isinstance(values, list) or len(values) != count:
        found = f"{len(values)} values" if isinstance(values, list) else "nothing"
        raise InvalidValue(f"{name} must have {count} numbers, has {found}")
    numbers = [number(value) for value in values]
    if not all(_is_number(value) for value in numbers):
        raise InvalidValue(f"{name} holds something that is no number")
    return np.array(numbers, dtype=np.float64)


def whole(content: Mapping[str, Any], key: str, name: str) -> int:
    """Return a whole number that is not negative."""
    value = number(content.get(key))
    if not (_is_number(value) and 0 <= value <= 1_000_000 and value == int(value)):
        raise InvalidValue(f"{name} is {shown(value)}: must be an integer from 0 to 1000000")
    return int(value)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
