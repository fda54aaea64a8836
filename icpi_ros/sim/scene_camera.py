"""Camera of a task's scene with the lens of its camera_info; no ROS, no rendering."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from icpi_ros.core.errors import IcpiError, InvalidValue
from icpi_ros.perception.camera import Camera, Intrinsics
from icpi_ros.perception.lens import lens_of
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
    """Return the intrinsics of a calibrated camera's images: of its region of interest, binned.

    The message's matrix and size are those of the whole sensor.  A binned pixel stands for a block
    of them, so that its centre is the block's.

    Raises:
        InvalidValue: not calibrated, a distortion model that is not known, a region outside the
            sensor, or values that make no sense.
    """
    if not any(msg.k):
        raise InvalidValue("the camera is not calibrated (K is 0): `icpi calibrate camera`")
    model, distortion = lens_of(msg.distortion_model, msg.d)
    matrix = np.array(msg.k, dtype=np.float64).reshape(3, 3)
    left, top, width, height = _region(msg)
    bins = [max(1, int(getattr(msg, name, 0))) for name in ("binning_x", "binning_y")]
    for row, (offset, size) in enumerate(zip((left, top), bins, strict=True)):
        matrix[row, 2] = (matrix[row, 2] - offset - 0.5 * (size - 1)) / size
        matrix[row, :2] /= size
    return Intrinsics(width // bins[0], height // bins[1], matrix, distortion, model)


def _region(msg: CameraInfo) -> tuple[int, int, int, int]:
    """Return left, top, width and height of the region of interest [px]; a width of 0 = all.

    Raises:
        InvalidValue: it is not inside the sensor.
    """
    whole = 0, 0, int(msg.width), int(msg.height)
    roi = getattr(msg, "roi", None)
    if roi is None or not (roi.width or roi.height):
        return whole
    left, top, width, height = (
        int(getattr(roi, name)) for name in ("x_offset", "y_offset", "width", "height")
    )
    if not (width and height and left + width <= msg.width and top + height <= msg.height):
        raise InvalidValue(
            f"region of interest {width} x {height} px at ({left}, {top}): must lie in the sensor "
            f"of {msg.width} x {msg.height} px"
        )
    return left, top, width, height


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
