"""Topic ``camera/debug``: what perception saw in an image, drawn into it.

Only drawn while somebody subscribes, and at most 10 times a second: it costs more than tracking.
"""

from __future__ import annotations

import time

from rclpy.node import Node
from sensor_msgs.msg import Image

from icpi_ros.nodes import qos
from icpi_ros.nodes.images import ImageBuffer
from icpi_ros.nodes.topics import CAMERA_DEBUG
from icpi_ros.perception.drawing import draw
from icpi_ros.perception.images import Frame
from icpi_ros.perception.pipeline import ImageTracker

PERIOD = 0.1
"""Shortest real time between two images [s]."""


class DebugImage:
    """Publishes the drawing; called for every image."""

    def __init__(self, node: Node) -> None:
        """Advertise the topic."""
        self._out = node.create_publisher(Image, CAMERA_DEBUG, qos.IMAGE)
        self._buffer: ImageBuffer | None = None
        self._sent = -PERIOD

    def offer(self, stamp: int, frame: Frame, tracker: ImageTracker) -> None:
        """Publish what ``tracker`` made of ``frame``, its last one; ``stamp`` in ns."""
        now, look = time.monotonic(), tracker.look
        if look is None or now - self._sent < PERIOD or not self._out.get_subscription_count():
            return
        self._sent = now
        picture = draw(frame, look, tracker)
        height, width = picture.shape[:2]
        if self._buffer is None or self._buffer.size != (width, height):
            self._buffer = ImageBuffer(width, height, tracker.detector.camera.frame)
        self._out.publish(self._buffer.fill(stamp, picture))
