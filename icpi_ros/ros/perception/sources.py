"""Sensor sources in the graph: messages in, measurements out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any

from rclpy.node import Node

from icpi_ros.core.errors import InvalidValue
from icpi_ros.perception.sources import SOURCES, Measurement, Source
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.diagnostics import Rate
from icpi_ros.tasks.base import Task

OnMeasured = Callable[[Measurement], None]
PER_SECOND = " per second"
IMAGE = "sensor_msgs/msg/Image"
"""Type of messages that come with a calibration and need a watch over their camera."""


class Feed(ABC):
    """Feed of a source with the messages of its topics; single-threaded, callbacks only.

    Attributes:
        source: that is fed.
    """

    source: Source

    @abstractmethod
    def trouble(self) -> tuple[str | None, dict[str, str]]:
        """Return what is wrong since the last call (None = nothing), and values to show.

        Values whose names end with :data:`PER_SECOND` are rates of what the source needs.
        """


class TopicFeed(Feed):
    """Feed of one topic, whatever its type."""

    def __init__(self, node: Node, source: Source, on_measured: OnMeasured) -> None:
        self.source, self._on_measured = source, on_measured
        self._used, self._rate = 0, Rate()
        self._trouble: str | None = None
        kind = message_class(source.message_type)
        # Every sample counts: a path with holes is a worse observation.
        node.create_subscription(kind, source.topic, self._on_message, qos.SENSOR_EVERY)

    def _on_message(self, msg: Any) -> None:
        try:
            measured = self.source.take(self.source.read(msg))
        except InvalidValue as exc:
            self._trouble = str(exc)
            return
        if measured is not None:
            self._used += 1
            self._on_measured(measured)

    def trouble(self) -> tuple[str | None, dict[str, str]]:
        """See :class:`Feed`."""
        trouble, self._trouble = self._trouble, None
        return trouble, {f"{self.source.topic}{PER_SECOND}": f"{self._rate.take(self._used):.1f}"}


def open_feed(node: Node, task: Task, values: Mapping[str, Any], on_measured: OnMeasured) -> Feed:
    """Return the feed of the source that a node's parameters name.

    Args:
        node: to subscribe with.
        task: whose object it is.
        values: the node's parameters.
        on_measured: called with every measurement, in their order.

    Raises:
        UsageError: a parameter does not fit.
    """
    kind = SOURCES.get(values["source"])
    if kind.message_type != IMAGE:
        return TopicFeed(node, kind(task, values["history"]), on_measured)
    # OpenCV, which poses can do without
    from icpi_ros.ros.perception.camera_source import CameraFeed

    return CameraFeed(node, kind, task, values, on_measured)


def message_class(name: str) -> Any:
    """Return the class of a message type such as ``geometry_msgs/msg/PoseStamped``."""
    package, _, kind = name.split("/")
    return getattr(import_module(f"{package}.msg"), kind)
