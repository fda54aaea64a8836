"""Reader of the object of a task's YAML file: its name, its look to a camera, its start."""

from __future__ import annotations

import re

import numpy as np

from icpi_ros.core.errors import DescriptionError, InvalidValue
from icpi_ros.robots.description.fields import RADIUS, DescriptionBlock
from icpi_ros.tasks.camera_target import Agility, CameraTarget, Contrast, Shape, Target
from icpi_ros.tasks.described.observed import AXES
from icpi_ros.tasks.described.quantities import (
    AGILITY,
    DISTANCE,
    HUE,
    SHARE,
    one_of,
    place,
)
from icpi_ros.tasks.described.task import StartPlace
from icpi_ros.tasks.plane import Plane

TOLERANCE = 0.01
"""Distance from the start place that is allowed unless the file says another [m]."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_ -]{0,39}")
_AGILITY = ("power", "max_speed", "quiet", "start_speed", "max_gap", "max_residual")


def object_of(top: DescriptionBlock) -> tuple[str, CameraTarget | None]:
    """Return the name of the object, and what a camera looks for; None = no camera.

    Raises:
        DescriptionError: they are not what is allowed.
    """
    block = top.inner("object", ("name",), ("camera",))
    name = block.text("name")
    if not _NAME.fullmatch(name):
        raise block.fail("name", "letters, digits, blanks, _ and -, a letter first, at most 40")
    return name, _camera(block, name) if block.has("camera") else None


def start_of(top: DescriptionBlock) -> StartPlace:
    """Return how and where the object is put back.

    Raises:
        DescriptionError: it is not what is allowed.
    """
    if not top.has("reset"):
        return StartPlace()
    block = top.inner("reset", (), ("text", "place", "tolerance"))
    text = block.text("text").rstrip(".") if block.has("text") else ""
    if block.has("tolerance") and not block.has("place"):
        raise block.fail("tolerance", "left out, or beside the place that it is about")
    if not block.has("place"):
        return StartPlace(text)
    tolerance = block.number("tolerance", DISTANCE) if block.has("tolerance") else TOLERANCE
    return StartPlace(text, place(block, "place"), tolerance)


def _camera(top: DescriptionBlock, name: str) -> CameraTarget:
    shares = ("saturation", "value", "step")
    more = ("shape", "height", *shares, "contrast", "colour", "agility")
    block = top.inner("camera", ("hues", "radius", "plane"), more)
    given = {key: block.number(key, SHARE) for key in shares if block.has(key)}
    shape = Shape(one_of(block, "shape", tuple(Shape))) if block.has("shape") else Shape.BALL
    if (shape is Shape.DISC) != block.has("height"):
        raise block.fail("height", "the height [m] of a disc; a ball has none")
    try:
        target = Target(
            name,
            _hues(block),
            block.number("radius", RADIUS),
            shape,
            block.number("height", RADIUS) if block.has("height") else 0.0,
            contrast=Contrast(one_of(block, "contrast", tuple(Contrast)))
            if block.has("contrast")
            else Contrast.DARK,
            colour=_colour(block) if block.has("colour") else Target.colour,
            **given,
        )
    except InvalidValue as exc:
        raise DescriptionError(f"{block.where}: {exc}") from exc
    return CameraTarget(target, _plane(block), _agility(block) if block.has("agility") else None)


def _hues(block: DescriptionBlock) -> tuple[tuple[float, float], ...]:
    rows = {str(i): row for i, row in enumerate(block.items("hues", 1, 6))}
    inner = DescriptionBlock(f"{block.where}: hues", rows)
    pairs = [inner.numbers(row, 2, HUE).tolist() for row in rows]
    return tuple((float(low), float(high)) for low, high in pairs)


def _colour(block: DescriptionBlock) -> tuple[float, float, float]:
    red, green, blue = block.numbers("colour", 3, HUE).tolist()
    if not all(0.0 <= part <= 1.0 for part in (red, green, blue)):
        raise block.fail("colour", "red, green and blue, each from 0 to 1")
    return red, green, blue


def _plane(block: DescriptionBlock) -> Plane:
    found = place(block, "plane")
    if len(found) != 1:
        raise block.fail("plane", "the one coordinate that is constant, such as {z: 0.01} [m]")
    ((axis, level),) = found.items()
    if axis == "z":
        return Plane.level(level)
    if axis == "y":
        return Plane.upright(level)
    return Plane(np.eye(3)[[AXES.index("y"), AXES.index("z")]], level)


def _agility(block: DescriptionBlock) -> Agility:
    inner = block.inner("agility", _AGILITY)
    return Agility(**{key: inner.number(key, AGILITY) for key in _AGILITY})
