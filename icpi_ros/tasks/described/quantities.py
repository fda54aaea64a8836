"""Quantities of a task's YAML file, and readers of what several of its keys hold."""

from __future__ import annotations

import math
from pathlib import Path

from icpi_ros.core.errors import DescriptionError, Kind, Refusal
from icpi_ros.robots.description.fields import LENGTH, DescriptionBlock, Quantity
from icpi_ros.tasks.described.observed import AXES

DURATION = Quantity("s", 120.0, "times are in s, not in ms", positive=True)
MOMENT = Quantity("s", 10.0, "times are in s, not in ms")
HEADING = Quantity("rad", math.pi, "angles are in rad, not in degrees")
DISTANCE = Quantity("m", 10.0, "lengths are in m, not in mm", positive=True)
REST_SPEED = Quantity("m/s", 1.0, "speeds are in m/s, not in mm/s")
WEIGHT = Quantity("1", 1000.0)
REPEATABILITY = Quantity("m", 1.0, "lengths are in m, not in mm", positive=True)
SHARE = Quantity("1", 1.0, "a share, not per cent", positive=True)
HUE = Quantity("deg", 360.0)
AGILITY = Quantity("in its unit", 1e6, positive=True)
ANY = Quantity("in its unit", 1e9)


def bounds(block: DescriptionBlock, key: str, quantity: Quantity) -> tuple[float, float]:
    """Return a range: two numbers, the lower one first.

    Raises:
        DescriptionError: it is something else.
    """
    lower, upper = block.numbers(key, 2, quantity).tolist()
    if not lower < upper:
        raise block.fail(key, f"[lower, upper] [{quantity.unit}], the lower one first")
    return lower, upper


def flag(block: DescriptionBlock, key: str) -> bool:
    """Return a true or false, false where the key is left out.

    Raises:
        DescriptionError: it is something else.
    """
    value = block.content.get(key, False)
    if not isinstance(value, bool):
        raise block.fail(key, "true or false")
    return value


def place(block: DescriptionBlock, key: str) -> dict[str, float]:
    """Return named coordinates of a place [m], any of x, y and z, in this order.

    Raises:
        DescriptionError: it is something else.
    """
    inner = block.inner(key, (), tuple(AXES))
    found = {axis: inner.number(axis, LENGTH) for axis in AXES if inner.has(axis)}
    if not found:
        raise block.fail(key, "coordinates by their names, such as {x: 0.6, y: -0.15} [m]")
    return found


def one_of(block: DescriptionBlock, key: str, choices: tuple[str, ...]) -> str:
    """Return a text that is one of the choices.

    Raises:
        DescriptionError: it is something else.
    """
    value = block.content[key]
    if value not in choices:
        raise block.fail(key, f"one of {', '.join(choices)}")
    return str(value)


def file_of(block: DescriptionBlock, key: str, folder: Path) -> Path:
    """Return the path of a file that is there; a relative one is in ``folder``.

    Raises:
        DescriptionError: there is none.
    """
    path = folder / Path(block.text(key)).expanduser()
    if not path.is_file():
        text = f"{block.where}: {key} is {block.text(key)!r}: there is no file {path}"
        raise DescriptionError(Refusal(text, Kind.MISSING, key, value=str(path), field=key))
    return path
