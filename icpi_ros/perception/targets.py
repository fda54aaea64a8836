"""What is looked for: colour, shape and size of the tracked objects.

Scenes draw their objects in saturated colours (:attr:`Target.colour`); a real bench needs a
puck, ball or marker of such a colour, or a ``Target`` of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import cv2
import numpy as np

from icpi_ros.errors import InvalidValue, UnknownName
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.plane import Plane
from icpi_ros.perception.quality import QualitySettings
from icpi_ros.perception.settings import TrackingSettings
from icpi_ros.perception.smoother import SmootherSettings
from icpi_ros.perception.tracking import TrackerSettings
from icpi_ros.types import Array


class Shape(StrEnum):
    """Bodies whose outline is known from every side."""

    DISC = "disc"
    """A short cylinder that lies flat on the plane."""
    BALL = "ball"
    """A sphere; also the marker at a rope's tip."""


class Contrast(StrEnum):
    """How the object differs from its surroundings in an image without colours."""

    BRIGHT = "bright"
    DARK = "dark"


@dataclass(frozen=True)
class Target:
    """An object to track; its centre moves on a plane.

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
        colour: red, green, blue, 0 to 1: what a simulated camera paints it with.
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
        """Refuse what cannot be looked for.

        Raises:
            InvalidValue: a range that is none.
        """
        if not self.hues or any(not 0.0 <= a < b <= 360.0 for a, b in self.hues):
            raise InvalidValue(f"hues {self.hues} deg of {self.name}: 0 <= from < to <= 360")
        if not (0.0 < self.radius < 1.0 and 0.0 <= self.height < 1.0):
            raise InvalidValue(
                f"radius {self.radius:g} m, height {self.height:g} m of {self.name}: 0 to 1 m"
            )
        for name in ("saturation", "value", "step"):
            if not 0.0 < getattr(self, name) <= 1.0:
                raise InvalidValue(f"{name} {getattr(self, name):g} of {self.name}: 0 to 1")


CORNERS = 24
"""Points of a circle drawn as a polygon."""
_TURN = 2.0 * np.pi * np.arange(CORNERS) / CORNERS
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1) * np.sqrt(
    2.0 * np.pi / (CORNERS * np.sin(2.0 * np.pi / CORNERS))
)
"""A regular polygon with the area of the unit circle."""


def outline(target: Target, camera: Camera, plane: Plane, point: Array) -> Array:
    """Return the outline ``(k, 2)`` [px] of a target whose centre is at ``point`` ``(3,)`` [m].

    Convex.  NaN if the target is not in front of the camera.
    """
    if target.shape is Shape.BALL:
        return camera.project(_limb(point, target.radius, camera.position))
    rim = point + target.radius * _CIRCLE @ plane.axes
    half = 0.5 * target.height * plane.normal
    pixels = camera.project(np.concatenate([rim - half, rim + half]))
    if not np.isfinite(pixels).all():
        return pixels
    hull = cv2.convexHull(pixels.astype(np.float32)).reshape(-1, 2)
    return np.asarray(hull, dtype=np.float64)


def _limb(centre: Array, radius: float, eye: Array) -> Array:
    """Return points ``(k, 3)`` of the circle in which rays from ``eye`` touch a sphere."""
    sight = centre - eye
    squared = float(sight @ sight)
    sine = min(radius * radius / squared, 0.99)
    x, y, z = sight.tolist()
    across = np.array([-y, x, 0.0]) if abs(z) < abs(x) + abs(y) else np.array([0.0, -z, y])
    across /= np.sqrt(across @ across)
    a, b, c = across.tolist()
    # numpy.cross takes ten times as long, and this runs in every frame.
    other = np.array([y * c - z * b, z * a - x * c, x * b - y * a]) / np.sqrt(squared)
    middle = centre - sine * sight
    return np.asarray(middle + radius * np.sqrt(1.0 - sine) * _CIRCLE @ np.stack([across, other]))


@dataclass(frozen=True)
class Watch:
    """What a task's camera follows.

    Attributes:
        target: what to look for.
        plane: that holds its centre.
        settings: how it may move, and what is good enough.
    """

    target: Target
    plane: Plane
    settings: TrackingSettings = field(default_factory=TrackingSettings)


RED = ((0.0, 20.0), (340.0, 360.0))
PUCK = Target("puck", RED, 0.03, Shape.DISC, height=0.02, colour=(0.9, 0.1, 0.1))
BALL = Target("ball", ((90.0, 150.0),), 0.03, colour=(0.1, 0.8, 0.1))
TIP = Target("rope tip", ((280.0, 320.0),), 0.02, colour=(0.9, 0.1, 0.9))
_PUCK, _BALL = Watch(PUCK, Plane.level(0.01)), Watch(BALL, Plane.level(0.03))
# A rope cracks like a whip, and one pixel of the side camera is 14 mm.
_WHIP = TrackingSettings(
    tracker=TrackerSettings(power=3000.0, most_speed=25.0),
    smoother=SmootherSettings(quiet=10.0, start_speed=10.0),
    quality=QualitySettings(longest_gap=0.1, most_residual=0.01),
)
_TIP = Watch(TIP, Plane.upright(0.1333), _WHIP)
WATCHES = MappingProxyType(
    {
        "slide": _PUCK,
        "slide-gc": _PUCK,
        "roll-gc": _BALL,
        "rope-swing": _TIP,
        "rope-swing-gc": _TIP,
    }
)
"""What to look for, by task."""


def watch(task: str) -> Watch:
    """Return what the camera of ``task`` follows.

    Raises:
        UnknownName: no target is known for it.
    """
    if task not in WATCHES:
        raise UnknownName("task with a camera target", task, WATCHES)
    return WATCHES[task]
