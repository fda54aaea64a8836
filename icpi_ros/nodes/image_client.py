"""Blocking access to an image topic: what `icpi calibrate --topic` looks through."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator

import rclpy
from rclpy.context import Context
from rclpy.exceptions import NameValidationException
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from sensor_msgs.msg import Image

from icpi_ros.errors import ObservationMissing, UsageError
from icpi_ros.graph.processes import environment
from icpi_ros.nodes import qos
from icpi_ros.nodes.spin import TEAR_DOWN_LIMIT, within
from icpi_ros.perception.board import Gray
from icpi_ros.perception.images import decode

SILENCE = 5.0
"""Longest wait for an image [s]."""
TYPE = "sensor_msgs/msg/Image"


class ImageClient:
    """Subscribes to one topic and keeps the newest image only; a context manager."""

    def __init__(self, topic: str) -> None:
        """Subscribe; nothing is waited for.

        Raises:
            UsageError: ``topic`` is no name of a topic.
        """
        os.environ.update(environment())  # the client must speak as the nodes do
        self._topic = topic
        self._changed = threading.Condition()
        self._newest: Image | None = None
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node: Node = rclpy.create_node(
            f"icpi_calibrate_{os.getpid()}",
            context=self._context,
            use_global_arguments=False,
            start_parameter_services=False,
        )
        try:
            self._node.create_subscription(Image, topic, self._on_image, qos.SENSOR_LATEST)
        except (NameValidationException, ValueError) as exc:
            self._node.destroy_node()
            self._context.try_shutdown()
            raise UsageError(f"--topic {topic!r} is no name of a topic") from exc
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._spinner = threading.Thread(target=self._spin, daemon=True)
        self._spinner.start()

    def __enter__(self) -> ImageClient:
        """Return the client itself."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close the client; a middleware that hangs is left behind."""
        within(TEAR_DOWN_LIMIT, self._tear_down)

    def frames(self) -> Iterator[Gray]:
        """Yield the newest image again and again; images that come too fast are left out.

        Raises:
            ObservationMissing: no image within ``SILENCE``, or two publishers send them.
            InvalidValue: an image whose encoding or size cannot be used.
        """
        while True:
            msg = self._next()
            if self._node.count_publishers(self._topic) > 1:
                raise ObservationMissing(
                    f"several publishers send on {self._topic}: stop all but the camera"
                )
            frame = decode(msg.data, msg.width, msg.height, msg.encoding, msg.step)
            yield frame.gray()

    def _next(self) -> Image:
        deadline = time.monotonic() + SILENCE
        with self._changed:
            while self._newest is None:
                self._changed.wait(0.1)
                if self._newest is None and time.monotonic() > deadline:
                    raise ObservationMissing(self._silent())
            msg, self._newest = self._newest, None
        return msg

    def _silent(self) -> str:
        known = self._node.get_topic_names_and_types()
        images = [name for name, types in known if TYPE in types and self._sent(name)]
        return (
            f"no image on {self._topic} for {SILENCE:g} s (ROS_DOMAIN_ID "
            f"{os.environ.get('ROS_DOMAIN_ID', '0')}; image topics: {', '.join(images) or 'none'})"
        )

    def _sent(self, name: str) -> bool:
        return bool(self._node.count_publishers(name))

    def _on_image(self, msg: Image) -> None:
        with self._changed:
            self._newest = msg
            self._changed.notify_all()

    def _spin(self) -> None:
        try:
            self._executor.spin()
        except ExternalShutdownException:
            return

    def _tear_down(self) -> None:
        self._executor.shutdown(timeout_sec=1.0)
        self._spinner.join(1.0)
        self._node.destroy_node()
        self._context.try_shutdown()
