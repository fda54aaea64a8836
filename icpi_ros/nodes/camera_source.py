"""Object positions from camera images: ``camera/image_raw`` and ``camera/camera_info``."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.clock_type import ClockType
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, Image

from icpi_ros.errors import IcpiError, InvalidValue
from icpi_ros.nodes import convert, qos
from icpi_ros.nodes.images import intrinsics_from
from icpi_ros.nodes.sources import OnSeen, Seen, Source
from icpi_ros.nodes.topics import CAMERA_IMAGE, CAMERA_INFO
from icpi_ros.perception.calibration_file import load_camera
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.images import decode
from icpi_ros.perception.pipeline import ImageTracker
from icpi_ros.perception.quality import Quality
from icpi_ros.perception.rest import SeenRest
from icpi_ros.perception.targets import watch
from icpi_ros.sim.camera_settings import CameraSettings
from icpi_ros.tasks.base import Task
from icpi_ros.types import ObjectTrajectory


class CameraSource(Source):
    """Detects and tracks the task's object in every image."""

    def __init__(self, node: Node, task: Task, values: Mapping[str, Any], on_seen: OnSeen) -> None:
        """See :class:`Source`; the tracker starts with the first camera_info."""
        self._node, self._task, self._on_seen = node, task, on_seen
        self._watch = watch(task.name)
        file = values["calibration"]
        self._calibrated = load_camera(Path(file).expanduser()) if file else None
        self._tracker: ImageTracker | None = None
        self._rest = SeenRest(task.rest)
        self._counts: Counter[str] = Counter()
        self._told: Counter[str] = Counter()
        self._checked = time.monotonic()
        self._latency = float("nan")
        self._images = node.create_subscription(Image, CAMERA_IMAGE, self._on_image, qos.IMAGE)
        node.create_subscription(CameraInfo, CAMERA_INFO, self._on_info, qos.IMAGE)

    # --- messages -------------------------------------------------------------------------

    def _on_info(self, msg: CameraInfo) -> None:
        if self._tracker is not None:
            return
        try:
            camera = self._camera(msg)
        except InvalidValue as exc:
            self._problem(f"camera_info: {exc}")
            return
        self._tracker = ImageTracker.of(self._watch, camera)

    def _camera(self, msg: CameraInfo) -> Camera:
        """Return the camera: as calibrated, else where the scene has it.

        Raises:
            InvalidValue: the message is no calibration, or not of the calibrated camera.
        """
        if self._calibrated is None:
            return scene_camera(self._task, msg)
        size = self._calibrated.intrinsics.width, self._calibrated.intrinsics.height
        if (msg.width, msg.height) != size:
            raise InvalidValue(
                f"images of {msg.width} x {msg.height} px, calibrated were {size[0]} x {size[1]}: "
                "calibrate again or set the camera to that size"
            )
        return self._calibrated

    def _on_image(self, msg: Image) -> None:
        if self._tracker is None:
            self._problem("no camera_info yet: images cannot be used")
            return
        stamp, now = convert.to_ns(msg.header.stamp), self._now()
        try:
            frame = decode(msg.data, msg.width, msg.height, msg.encoding, msg.step)
            state = self._tracker.update(stamp, frame, now)
        except InvalidValue as exc:
            self._problem(str(exc))
            return
        self._counts["images"] += 1
        if now is not None:
            self._latency = (now - stamp) / convert.SECOND
        if not state.measured:
            self._counts[f"not seen: {state.rejected.value}"] += 1
            return
        self._counts["seen"] += 1
        resting = self._rest.update(stamp / convert.SECOND, self._tracker.plane.lift(state.point))
        self._on_seen(Seen(stamp, state.position, resting))

    def _now(self) -> int | None:
        """Return the node's time [ns]; None while simulated time has not begun."""
        clock = self._node.get_clock()
        now = int(clock.now().nanoseconds)
        simulated = self._node.get_parameter("use_sim_time").value
        # A simulation's /clock comes at its own pace, images may overtake it.
        return None if simulated or clock.clock_type is not ClockType.ROS_TIME else now

    def _problem(self, text: str) -> None:
        if not self._counts[f"problem: {text}"]:
            self._node.get_logger().error(text)
        self._counts[f"problem: {text}"] += 1

    # --- Source ---------------------------------------------------------------------------

    @property
    def newest(self) -> int | None:
        """See :class:`Source`."""
        return None if self._tracker is None else self._tracker.newest

    def path(self, start: int, stop: int) -> tuple[ObjectTrajectory, Quality] | None:
        """See :class:`Source`."""
        if self._tracker is None:
            return None
        found, quality = self._tracker.trajectory(start, stop, self._task.rest.period)
        return None if found.coverage == 0.0 else (found, quality)

    def trouble(self) -> tuple[str, dict[str, str]]:
        """See :class:`Source`."""
        now = time.monotonic()
        new, length = self._counts - self._told, now - self._checked
        self._told, self._checked = self._counts.copy(), now
        images = new["images"]
        values = {
            "images per second": f"{images / max(length, 1e-3):.1f}",
            "share seen": f"{new['seen'] / images:.2f}" if images else "-",
            "latency [s]": f"{self._latency:.4f}" if np.isfinite(self._latency) else "-",
        }
        values |= {name: str(count) for name, count in new.items() if ": " in name}
        return self._worst(new, images), values

    def _worst(self, new: Counter[str], images: int) -> str:
        publishers = self._node.count_publishers(self._images.topic_name)
        if publishers > 1:
            return f"{publishers} nodes publish {self._images.topic_name}: stop all but one"
        problems = [name for name in new if name.startswith("problem: ")]
        if problems:
            return problems[0].removeprefix("problem: ")
        unseen = [(count, name) for name, count in new.items() if name.startswith("not seen")]
        if images and unseen and new["seen"] == 0:
            return max(unseen)[1]
        return ""


def scene_camera(task: Task, msg: CameraInfo) -> Camera:
    """Return a simulated camera: pose from the task's scene, intrinsics from its camera_info.

    Raises:
        InvalidValue: the message is no calibration.
    """
    from icpi_ros.sim.camera import true_camera
    from icpi_ros.sim.world import load_model

    intrinsics = intrinsics_from(msg)
    try:
        model = load_model(task, task.seeded_physics(0))
        placed = true_camera(model, "", CameraSettings())
    except IcpiError as exc:
        raise InvalidValue(f"{exc}: give parameter calibration a file") from exc
    return Camera(intrinsics, placed.rotation, placed.translation, msg.header.frame_id)
