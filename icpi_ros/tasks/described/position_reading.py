"""Reader of the observed position of a task's YAML file."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from icpi_ros.robots.description.fields import DescriptionBlock
from icpi_ros.tasks.described.observed import (
    AXES,
    CrossingPosition,
    HighestPosition,
    NearestPosition,
    ObservedPosition,
    RestPosition,
    TimedPosition,
)
from icpi_ros.tasks.described.quantities import DURATION, one_of, place

DIRECTIONS = {"either": 0, "up": 1, "down": -1}


def observed_of(top: DescriptionBlock) -> ObservedPosition:
    """Return which position of the object counts.

    Raises:
        DescriptionError: it is not what is allowed.
    """
    own = ("to", "plane", "direction", "time")
    block = top.inner("observe", ("at", "coordinates"), own)
    at = one_of(block, "at", tuple(_KINDS))
    for key in own:
        if block.has(key) and key not in _KEYS.get(at, ()):
            kind = next(kind for kind, keys in _KEYS.items() if key in keys)
            raise block.fail(key, f"left out: it is of {kind}, not of {at}")
    return _KINDS[at](block, _axes(block))


def _axes(block: DescriptionBlock) -> tuple[str, ...]:
    value = block.content["coordinates"]
    if not isinstance(value, list) or not value or value != [a for a in AXES if a in value]:
        raise block.fail("coordinates", "a list of some of x, y and z, in this order")
    return tuple(value)


def _closest(block: DescriptionBlock, axes: tuple[str, ...]) -> NearestPosition:
    if block.content.get("to", "goal") == "goal":
        return NearestPosition(axes, {})
    return NearestPosition(axes, place(block, "to"))


def _crossing(block: DescriptionBlock, axes: tuple[str, ...]) -> CrossingPosition:
    if not block.has("plane"):
        raise block.fail("plane", "the coordinate that is constant on it, such as {z: 0.05} [m]")
    found = place(block, "plane")
    if len(found) != 1:
        raise block.fail("plane", "the one coordinate that is constant, such as {z: 0.05} [m]")
    ((axis, level),) = found.items()
    if axis in axes:
        raise block.fail("coordinates", f"without {axis}: on the plane it is always {level:g} m")
    direction = "either"
    if block.has("direction"):
        direction = one_of(block, "direction", tuple(DIRECTIONS))
    return CrossingPosition(axes, axis, level, DIRECTIONS[direction])


def _timed(block: DescriptionBlock, axes: tuple[str, ...]) -> TimedPosition:
    if not block.has("time"):
        raise block.fail("time", "the time after the start of the motion [s]")
    return TimedPosition(axes, block.number("time", DURATION))


_KINDS: Mapping[str, Callable[[DescriptionBlock, tuple[str, ...]], ObservedPosition]] = {
    "rest": lambda block, axes: RestPosition(axes),
    "closest": _closest,
    "crossing": _crossing,
    "highest": lambda block, axes: HighestPosition(axes),
    "time": _timed,
}
_KEYS: Mapping[str, tuple[str, ...]] = {
    "closest": ("to",),
    "crossing": ("plane", "direction"),
    "time": ("time",),
}
"""Keys of one kind of position alone."""
