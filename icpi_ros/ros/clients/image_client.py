"""Blocking access to an image topic, for `icpi calibrate --topic`."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator

from rclpy.exceptions import NameValidationException
from sensor_msgs.msg import CompressedImage, Image

from icpi_ros.core.errors import ObservationMissing, UsageError
from icpi_ros.perception.calibration.board import Gray
from icpi_ros.perception.imaging.encodings import frame_of
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.fitting import FittingSubscription, Heard, image_topics
from icpi_ros.ros.clients.client_node import ClientNode

IMAGE_TIMEOUT = 5.0
"""Longest wait for an image [s]."""
TYPES = {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"}


class ImageClient(ClientNode):
    """Subscriber of one topic that keeps the newest image only; a context manager."""

    def __init__(self, topic: str) -> None:
        """Subscribe; nothing is waited for.

        Raises:
            UsageError: ``topic`` is no name of a topic.
        """
        super().__init__("icpi_calibrate")
        self._topic = topic
        self._newest: Image | CompressedImage | None = None
        try:
            heard = [Heard(*one, self._on_image) for one in image_topics(self.node, topic)]
            self._images = FittingSubscription(self.node, heard, qos.SENSOR_LATEST)
        except (NameValidationException, ValueError) as exc:
            self.close()
            raise UsageError(f"--topic {topic!r} is no name of a topic") from exc
        self.spin()

    def __enter__(self) -> ImageClient:
        return self

    def frames(self) -> Iterator[Gray]:
        """Yield the newest image again and again; images that come too fast are left out.

        Raises:
            ObservationMissing: no image within ``IMAGE_TIMEOUT``, or two publishers send them.
            InvalidValue: an image whose encoding or size cannot be used.
        """
        while True:
            msg = self._next()
            if self._images.publishers() > 1:
                raise ObservationMissing(
                    f"several publishers send on {self._topic}: stop all but the camera"
                )
            yield frame_of(msg).gray()

    def _next(self) -> Image | CompressedImage:
        deadline = time.monotonic() + IMAGE_TIMEOUT
        with self.changed:
            while self._newest is None:
                self.changed.wait(0.1)
                if self._newest is None and time.monotonic() > deadline:
                    raise ObservationMissing(self._missing())
            msg, self._newest = self._newest, None
        return msg

    def _missing(self) -> str:
        known = self.node.get_topic_names_and_types()
        images = [name for name, types in known if TYPES & {*types} and self._sent(name)]
        return (
            f"no image on {self._topic} for {IMAGE_TIMEOUT:g} s (ROS_DOMAIN_ID "
            f"{os.environ.get('ROS_DOMAIN_ID', '0')}; image topics: {', '.join(images) or 'none'})"
        )

    def _sent(self, name: str) -> bool:
        return bool(self.node.count_publishers(name))

    def _on_image(self, msg: Image | CompressedImage) -> None:
        with self.changed:
            self._newest = msg
            self.changed.notify_all()
