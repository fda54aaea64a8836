"""Target of a task's camera, and its outline in an image."""

from __future__ import annotations

from dataclasses import dataclass, field

import cv2
import numpy as np

from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Array
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.quality import QualitySettings
from icpi_ros.perception.smoother import SmootherSettings
from icpi_ros.perception.tracking_types import TrackerSettings, TrackingSettings
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.camera_target import Agility, Shape, Target
from icpi_ros.tasks.plane import Plane

CORNERS = 24
"""Points of a circle drawn as a polygon."""
_TURN = 2.0 * np.pi * np.arange(CORNERS) / CORNERS
_CIRCLE = np.stack([np.cos(_TURN), np.sin(_TURN)], axis=1) * np.sqrt(
    2.0 * np.pi / (CORNERS * np.sin(2.0 * np.pi / CORNERS))
)
"""A regular polygon with the area of the unit circle."""


class Outline:
    """Outline of a target on a plane, as a camera sees it."""

    def __init__(self, target: Target, camera: Camera, plane: Plane) -> None:
        self._target, self._camera = target, camera
        self._rim = target.radius * _CIRCLE @ plane.axes
        self._half = 0.5 * target.height * plane.normal

    def at(self, point: Array) -> Array:
        """Return the outline ``(k, 2)`` [px] of the target with its centre at ``(3,)`` [m].

        Convex.  NaN if the target is not in front of the camera.
        """
        camera = self._camera
        if self._target.shape is Shape.BALL:
            return camera.project(_limb(point, self._target.radius, camera.position))
        rim = point + self._rim
        pixels = camera.project(np.concatenate([rim - self._half, rim + self._half]))
        if not np.isfinite(pixels).all():
            return pixels
        hull = cv2.convexHull(pixels.astype(np.float32)).reshape(-1, 2)
        return np.asarray(hull, dtype=np.float64)


def outline(target: Target, camera: Camera, plane: Plane, point: Array) -> Array:
    """Return the :class:`Outline` ``(k, 2)`` [px] of a target at ``point`` ``(3,)`` [m]."""
    return Outline(target, camera, plane).at(point)


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
class TrackedTarget:
    """Target of a task's camera, with the settings to follow it.

    Attributes:
        target: the object's look.
        plane: that holds its centre.
        settings: of its motion, and of the quality of its path.
    """

    target: Target
    plane: Plane
    settings: TrackingSettings = field(default_factory=TrackingSettings)


def tracked_target(task: Task) -> TrackedTarget:
    """Return the target of the camera of ``task``.

    Raises:
        UsageError: the task has no camera target.
    """
    sought = task.camera_target
    if sought is None:
        raise UsageError(
            f"task {task.name!r} has no camera target: give its class a camera_target (in a YAML "
            "file object a camera), or take "
            "positions from source tracked_pose"
        )
    return TrackedTarget(sought.target, sought.plane, _settings(sought.agility))


def _settings(agility: Agility | None) -> TrackingSettings:
    """Return the thresholds for an object that moves like that; None = like a puck or ball."""
    if agility is None:
        return TrackingSettings()
    return TrackingSettings(
        tracker=TrackerSettings(power=agility.power, max_speed=agility.max_speed),
        smoother=SmootherSettings(quiet=agility.quiet, start_speed=agility.start_speed),
        quality=QualitySettings.of(agility),
    )
