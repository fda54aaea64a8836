"""Camera images and their calibration in the graph: ``camera/image_raw``, ``camera/camera_info``.

An image that cannot be trusted gives no position: it is counted, logged once per kind, and named
in the diagnostics; the next good one is used again.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any, cast

import numpy as np
from rclpy.node import Node
from sensor_msgs.msg import CameraInfo, CompressedImage, Image

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.perception.calibration.file import load_camera
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.drawing import draw
from icpi_ros.perception.image_source import ImageSource
from icpi_ros.perception.image_tracker import ImageTracker
from icpi_ros.perception.imaging.images import Frame
from icpi_ros.perception.sources import Source
from icpi_ros.perception.tracking_types import Rejection
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.diagnostics import Rate
from icpi_ros.ros.base.fitting import FittingSubscription, Heard, image_topics
from icpi_ros.ros.base.frames import FramePublisher
from icpi_ros.ros.base.topics import CAMERA_DEBUG, CAMERA_INFO
from icpi_ros.ros.perception.camera_health import CameraHealth
from icpi_ros.ros.perception.images import ImageBuffer
from icpi_ros.ros.perception.sources import IMAGE, PER_SECOND, Feed, OnMeasured, arrival
from icpi_ros.sim.scene_camera import scene_camera
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

COUNT_PERIOD = 0.05
"""Time between two counts of the publishers of images and camera_info [s]."""
DEBUG_PERIOD = 0.1
"""Shortest real time between two debug images [s]."""


class CameraFeed(Feed):
    """Feed of a source with images, with supervision of the camera."""

    source: ImageSource

    def __init__(
        self,
        node: Node,
        kind: type[Source],
        task: Task,
        values: Mapping[str, Any],
        on_measured: OnMeasured,
    ) -> None:
        """See :func:`.sources.open_feed`; a calibration file replaces camera_info."""
        self._node, self._on_measured = node, on_measured
        file = values["calibration"]
        scene = TASKS.get(values["world"]) if values["world"] else task
        camera = load_camera(Path(file).expanduser()) if file else partial(scene_camera, scene)
        self.source = cast(ImageSource, kind(task, values["history"], camera))
        self._infos, self._info_rate = 0, Rate()
        self._health = CameraHealth(node.get_logger().error)
        self._counted = -COUNT_PERIOD
        self._crowded: str | None = None
        self._debug = DebugImage(node)
        self._frames = FramePublisher(node) if values["publish_frames"] else None
        self._shown: Camera | None = None
        self._own = node.resolve_topic_name(CAMERA_DEBUG)
        images = [Heard(*one, self._on_image) for one in image_topics(node, self.source.topic)]
        self._images = FittingSubscription(node, images, qos.IMAGE_EVERY)
        self._heard = [self._images]
        if not file:
            infos = [Heard(CAMERA_INFO, CameraInfo, self._on_info)]
            self._heard.append(FittingSubscription(node, infos, qos.IMAGE))
        self._show_camera()

    # --- messages -------------------------------------------------------------------------

    def _on_info(self, msg: CameraInfo) -> None:
        self._infos += 1
        try:
            self.source.learn(msg, self._images.topic_name)
        except InvalidValue:
            self._health.problem(self.source.unready)
        self._show_camera()

    def _show_camera(self) -> None:
        """Publish where the camera stands, once for each camera."""
        tracker = self.source.tracker
        camera = None if tracker is None else tracker.detector.camera
        if self._frames is None or camera is None or camera is self._shown:
            return
        self._shown = camera
        placed: Array = np.eye(4)
        placed[:3, :3], placed[:3, 3] = camera.rotation.T, camera.position
        self._frames.fix(self._node.get_clock().now().nanoseconds, camera.frame, placed)

    def _on_image(self, msg: Image | CompressedImage) -> None:
        now = self._now()
        try:
            tracker = self._ready()
            sample = self.source.read(msg)
            measured = self.source.take(sample, now)
        except InvalidValue as exc:
            self.source.refused = str(exc)
            self._health.problem(str(exc))
            return
        rejected = tracker.last_frame.state.rejected if tracker.last_frame else Rejection.NO
        self._health.image(sample.ns, rejected, now)
        if measured is not None:
            self._on_measured(measured)
        if sample.frame is not None:
            self._debug.offer(sample.ns, sample.frame, tracker)

    def _ready(self) -> ImageTracker:
        """Return the tracker.

        Raises:
            InvalidValue: images cannot be used now, and why.
        """
        tracker = self.source.ready()
        if crowded := self._count():  # a message does not name its camera
            raise InvalidValue(crowded)
        return tracker

    def _count(self) -> str | None:
        """Return which topic has several publishers; None = none has."""
        now = time.monotonic()
        if now - self._counted >= COUNT_PERIOD:
            self._counted = now
            counts = {heard.topic_name: heard.publishers() for heard in self._heard}
            self._crowded = (
                "; ".join(
                    f"{n} nodes publish {topic}: stop all but one"
                    for topic, n in counts.items()
                    if n > 1
                )
                or None
            )
        return self._crowded

    def _now(self) -> int | None:
        """Return the node's time [ns]; None where time is simulated."""
        return arrival(self._node)  # of a simulation images may overtake /clock

    # --- Feed -----------------------------------------------------------------------------

    def trouble(self) -> tuple[str | None, dict[str, str]]:
        """See :class:`Feed`."""
        silent = self._health.silent
        trouble, values = self._health.take()
        if len(self._heard) > 1:  # without a calibration file camera_info is needed
            values[f"camera_info{PER_SECOND}"] = f"{self._info_rate.take(self._infos):.1f}"
        if silent:
            trouble = self._missing()
        elif self.source.tracker is None:
            trouble = self.source.unready
        return trouble, values

    def _missing(self) -> str:
        """Return why no images arrive."""
        topic = self._images.topic_name
        if self._images.publishers():
            return f"no images arrive on {topic}"
        known = self._node.get_topic_names_and_types()
        others = [
            name for name, kinds in known if IMAGE in kinds and name not in (topic, self._own)
        ]
        sent = [name for name in others if self._node.count_publishers(name)]
        there = f"; images are published on {', '.join(sorted(sent)[:5])}" if sent else ""
        return f"nobody publishes {topic}{there}"


class DebugImage:
    """Topic ``camera/debug``: an image with the tracking drawn into it.

    Drawn while there is a subscriber, at most 10 times a second: it costs more than tracking.
    """

    def __init__(self, node: Node) -> None:
        self._out = node.create_publisher(Image, CAMERA_DEBUG, qos.IMAGE)
        self._buffer: ImageBuffer | None = None
        self._sent = -DEBUG_PERIOD

    def offer(self, stamp: int, frame: Frame, tracker: ImageTracker) -> None:
        """Publish what ``tracker`` made of ``frame``, its last one; ``stamp`` in ns."""
        now, look = time.monotonic(), tracker.last_frame
        if (
            look is None
            or now - self._sent < DEBUG_PERIOD
            or not self._out.get_subscription_count()
        ):
            return
        self._sent = now
        picture = draw(frame, look, tracker)
        height, width = picture.shape[:2]
        if self._buffer is None or self._buffer.size != (width, height):
            self._buffer = ImageBuffer(width, height, tracker.detector.camera.frame)
        self._out.publish(self._buffer.fill(stamp, picture))
