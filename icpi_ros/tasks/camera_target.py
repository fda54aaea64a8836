"""Camera target of a task: colour, shape, size and agility of the object.

Scenes show their objects in saturated colours (:attr:`Target.colour`); a real bench needs a
puck, ball or marker of such a colour, or a task whose ``camera_target`` is another one.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from icpi_ros.core.errors import InvalidValue, invalid
from icpi_ros.tasks.plane import Plane

RED = ((0.0, 20.0), (340.0, 360.0))
"""Hues [deg]."""


class Shape(StrEnum):
    """Bodies whose outline is known from every side."""

    DISC = "disc"
    """A short cylinder that lies flat on the plane."""
    BALL = "ball"
    """A sphere; also the marker at a rope's tip."""


class Contrast(StrEnum):
    """Contrast of the object to its surroundings in an image without colours."""

    BRIGHT = "bright"
    DARK = "dark"


@dataclass(frozen=True)
class Target:
    """Object to track; its centre moves on a plane.

    Attributes:
        name: for messages.
        hues: ranges ``(from, to)`` on the colour circle [deg], 0 red, 120 green, 240 blue.
        radius: of disc or ball [m].
        shape: see :class:`Shape`.
        height: of a disc [m]; a ball has none.
        saturation: least saturation, 0 grey to 1.
        value: least brightness of the brightest channel, 0 to 1.
        contrast: in images without colours.
        step: least difference of brightness to the surroundings in such images, 0 to 1.
        colour: red, green, blue, 0 to 1, in simulated images.
    """

    name: str
    hues: tuple[tuple[float, float], ...]
    radius: float
    shape: Shape = Shape.BALL
    height: float = 0.0
    saturation: float = 0.45
    value: float = 0.2
    contrast: Contrast = Contrast.DARK
    step: float = 0.15
    colour: tuple[float, float, float] = (0.9, 0.1, 0.1)

    def __post_init__(self) -> None:
        """Refuse a target that cannot be found.

        Raises:
            InvalidValue: a range that is none.
        """
        if not self.hues or any(not 0.0 <= a < b <= 360.0 for a, b in self.hues):
            text = f"hues {self.hues} deg of {self.name}: 0 <= from < to <= 360"
            raise invalid(text, "hues", self.hues, (0.0, 360.0), unit="deg")
        if not (0.0 < self.radius < 1.0 and 0.0 <= self.height < 1.0):
            raise InvalidValue(
                f"radius {self.radius:g} m, height {self.height:g} m of {self.name}: 0 to 1 m"
            )
        for name in ("saturation", "value", "step"):
            if not 0.0 < (value := getattr(self, name)) <= 1.0:
                raise invalid(f"{name} {value:g} of {self.name}: 0 to 1", name, value, (0.0, 1.0))


@dataclass(frozen=True)
class Agility:
    """Agility of an object that is quicker than a puck or a ball.

    Attributes:
        power: power density of its acceleration, strikes included [m^2/s^3].
        max_speed: highest speed; faster is a jump [m/s].
        quiet: power density of its acceleration while nothing strikes it [m^2/s^3].
        start_speed: standard deviation of its first velocity [m/s].
        max_gap: longest time without a position [s].
        max_residual: root mean square distance of measurements from the path [m].
    """

    power: float
    max_speed: float
    quiet: float
    start_speed: float
    max_gap: float
    max_residual: float


@dataclass(frozen=True)
class CameraTarget:
    """Camera target and the plane of its motion.

    Attributes:
        target: object to look for.
        plane: that holds its centre.
        agility: None = as a puck or a ball on a table.
    """

    target: Target
    plane: Plane
    agility: Agility | None = None
