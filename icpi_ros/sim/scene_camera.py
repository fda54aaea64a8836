"""Camera of a task's scene with the lens of its camera_info; no ROS, no rendering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from icpi_ros.core.errors import IcpiError, InvalidValue
from icpi_ros.perception.camera import DISTORTION, Camera, Intrinsics
from icpi_ros.sim.camera import true_camera
from icpi_ros.sim.camera_settings import CameraSettings
from icpi_ros.sim.world import load_model
from icpi_ros.tasks.base import Task


class CameraInfo(Protocol):
    """``sensor_msgs/CameraInfo``, live or from a bag."""

    header: Any
    width: int
    height: int
    distortion_model: str
    d: Sequence[float]
    k: Sequence[float]


def intrinsics_from(msg: CameraInfo) -> Intrinsics:
    """Return the intrinsics of a calibrated camera.

    Raises:
        InvalidValue: not calibrated, another distortion model, or values that make no sense.
    """
    if msg.distortion_model not in ("plumb_bob", "") or len(msg.d) not in (0, DISTORTION):
        raise InvalidValue(
            f"distortion model {msg.distortion_model!r} with {len(msg.d)} values: plumb_bob with "
            f"{DISTORTION} is needed"
        )
    if not any(msg.k):
        raise InvalidValue("the camera is not calibrated (K is 0): `icpi calibrate camera`")
    distortion = np.array(msg.d if len(msg.d) else np.zeros(DISTORTION), dtype=np.float64)
    matrix = np.array(msg.k, dtype=np.float64).reshape(3, 3)
    return Intrinsics(int(msg.width), int(msg.height), matrix, distortion)


def scene_camera(task: Task, msg: CameraInfo) -> Camera:
    """Return a simulated camera: pose from the task's scene, intrinsics from its camera_info.

    Raises:
        InvalidValue: the message is no calibration, or the scene has no camera.
    """
    intrinsics = intrinsics_from(msg)
    try:
        model = load_model(task, task.seeded_physics(0))
        placed = true_camera(model, "", CameraSettings())
    except IcpiError as exc:
        raise InvalidValue(f"{exc}: give a calibration file") from exc
    return Camera(intrinsics, placed.rotation, placed.translation, str(msg.header.frame_id))
