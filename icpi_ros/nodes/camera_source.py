"""Object positions from camera images: ``camera/image_raw`` and ``camera/camera_info``.

An image that cannot be trusted gives no position: it is counted, logged once per kind, and named
in the diagnostics; the next good one is used again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import ReliabilityPolicy
from sensor_msgs.msg import CameraInfo, Image

from icpi_ros.errors import InvalidValue
from icpi_ros.nodes import convert, qos
from icpi_ros.nodes.camera_health import CameraHealth
from icpi_ros.nodes.debug_image import DebugImage
from icpi_ros.nodes.rate import Rate
from icpi_ros.nodes.sources import PER_SECOND, OnSeen, Seen, Source
from icpi_ros.nodes.topics import CAMERA_IMAGE, CAMERA_INFO
from icpi_ros.perception.calibration_file import load_camera
from icpi_ros.perception.images import decode
from icpi_ros.perception.pipeline import ImageTracker
from icpi_ros.perception.quality import Quality
from icpi_ros.perception.rest import SeenRest
from icpi_ros.perception.targets import Watch, watch
from icpi_ros.sim.scene_camera import scene_camera
from icpi_ros.tasks.base import Task
from icpi_ros.types import SECOND, ObjectTrajectory

COUNT_PERIOD = 0.05
"""How often the publishers of images and camera_info are counted [s]."""
NO_INFO = "no camera_info yet: images cannot be used"


class CameraSource(Source):
    """Detects and tracks the task's object in every image."""

    def __init__(self, node: Node, task: Task, values: Mapping[str, Any], on_seen: OnSeen) -> None:
        """See :class:`Source`; without a calibration file the tracker starts with camera_info."""
        self._node, self._task, self._on_seen = node, task, on_seen
        self._watch = remembering(watch(task), values["history"])
        self._tracker: ImageTracker | None = None
        self._unready = NO_INFO
        self._info: tuple[object, ...] = ()
        self._infos, self._info_rate = 0, Rate()
        self._rest = SeenRest(task.rest)
        self._health = CameraHealth(node.get_logger().error)
        self._counted, self._crowded = -COUNT_PERIOD, ""
        self._debug = DebugImage(node)
        self._images = node.create_subscription(
            Image, CAMERA_IMAGE, self._on_image, qos.IMAGE_EVERY
        )
        self._topics = [self._images.topic_name]
        file = values["calibration"]
        if file:
            self._tracker = ImageTracker.of(self._watch, load_camera(Path(file).expanduser()))
        else:
            infos = node.create_subscription(CameraInfo, CAMERA_INFO, self._on_info, qos.IMAGE)
            self._topics.append(infos.topic_name)

    # --- messages -------------------------------------------------------------------------

    def _on_info(self, msg: CameraInfo) -> None:
        self._infos += 1
        # As bytes: NaN differs from itself.
        size, model = (msg.width, msg.height), msg.distortion_model
        info = (*size, model, bytes(memoryview(msg.k)), bytes(memoryview(msg.d)))
        if info == self._info:
            return
        self._info = info
        try:
            self._tracker = ImageTracker.of(self._watch, scene_camera(self._task, msg))
        except InvalidValue as exc:
            self._tracker, self._unready = None, f"camera_info: {exc}"
            self._health.problem(self._unready)

    def _on_image(self, msg: Image) -> None:
        stamp, now = convert.to_ns(msg.header.stamp), self._now()
        try:
            tracker = self._ready()
            frame = decode(msg.data, msg.width, msg.height, msg.encoding, msg.step)
            state = tracker.update(stamp, frame, now)
        except InvalidValue as exc:
            self._health.problem(str(exc))
            return
        self._health.image(stamp, state.rejected, now)
        if state.measured:
            resting = self._rest.update(stamp / SECOND, tracker.plane.lift(state.point))
            self._on_seen(Seen(stamp, state.position, resting))
        self._debug.offer(stamp, frame, tracker)

    def _ready(self) -> ImageTracker:
        """Return the tracker.

        Raises:
            InvalidValue: images cannot be used now, and why.
        """
        if self._tracker is None:
            raise InvalidValue(self._unready)
        if crowded := self._count():  # a message does not tell which camera it is from
            raise InvalidValue(crowded)
        return self._tracker

    def _count(self) -> str:
        """Return which topic has several publishers; empty = none."""
        now = time.monotonic()
        if now - self._counted >= COUNT_PERIOD:
            self._counted = now
            counts = {topic: self._node.count_publishers(topic) for topic in self._topics}
            self._crowded = "; ".join(
                f"{n} nodes publish {topic}: stop all but one"
                for topic, n in counts.items()
                if n > 1
            )
        return self._crowded

    def _now(self) -> int | None:
        """Return the node's time [ns]; None where time is simulated."""
        clock = self._node.get_clock()
        simulated = self._node.get_parameter("use_sim_time").value
        # A simulation's /clock comes at its own pace, images may overtake it.
        if simulated or clock.clock_type is not ClockType.ROS_TIME:
            return None
        return int(clock.now().nanoseconds)

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
        silent = self._health.silent
        trouble, values = self._health.take()
        if len(self._topics) > 1:  # without a calibration file camera_info is needed
            values[f"camera_info{PER_SECOND}"] = f"{self._info_rate.take(self._infos):.1f}"
        if silent:
            trouble = self._silence()
        elif self._tracker is None:
            trouble = self._unready
        return trouble, values

    def _silence(self) -> str:
        """Return why no images arrive."""
        topic = self._images.topic_name
        publishers = self._node.get_publishers_info_by_topic(topic)
        if not publishers:
            return f"nobody publishes {topic}"
        if all(p.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT for p in publishers):
            return f"{topic} is published best effort: set the camera's publisher to reliable"
        return f"no images arrive on {topic}"


def remembering(watched: Watch, history: float) -> Watch:
    """Return the same with another length of the past [s]."""
    return replace(watched, settings=replace(watched.settings, history=history))
