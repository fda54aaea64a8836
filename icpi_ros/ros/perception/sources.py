"""Sensor sources in the graph: messages in, measurements out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from importlib import import_module
from typing import Any

from rclpy.clock_type import ClockType
from rclpy.node import Node

from icpi_ros.core.errors import InvalidValue
from icpi_ros.perception.poses.frames import FrameMessages
from icpi_ros.perception.poses.settings import PoseSettings
from icpi_ros.perception.sources import SOURCES, Measurement, PoseSample, PoseSource, Source
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.diagnostics import Rate
from icpi_ros.tasks.base import Task

OnMeasured = Callable[[Measurement], None]
PER_SECOND = " per second"
IMAGE = "sensor_msgs/msg/Image"
"""Type of messages that come with a calibration and need a watch over their camera."""

FRAMES = "tf2_msgs/msg/TFMessage"
"""Type of messages about frames."""
MAX_LOGGED = 20
"""Kinds of troubles that are logged."""


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
    """Feed of one topic, whatever its type; poses in another frame also need /tf."""

    def __init__(self, node: Node, source: Source, on_measured: OnMeasured) -> None:
        self.source, self._on_measured, self._node = source, on_measured, node
        self._used, self._arrived, self._rate = 0, 0, Rate()
        self._trouble: str | None = None
        self._logged: set[str] = set()
        self._frames = FrameFeed(node)
        kind = message_class(source.message_type)
        # Every sample counts: a path with holes is a worse observation.
        listened = node.create_subscription(kind, source.topic, self._on_message, qos.SENSOR_EVERY)
        self._topic = listened.topic_name

    def _on_message(self, msg: Any) -> None:
        self._arrived += 1
        try:
            sample = self.source.read(msg)
            if isinstance(sample, PoseSample) and (told := self._frames.take()):
                sample = replace(sample, frames=told)
            measured = self.source.take(sample, arrival(self._node))
        except InvalidValue as exc:
            self._note(str(exc), exc.refusal.brief)
            if isinstance(self.source, PoseSource) and self.source.placing.foreign:
                self._frames.listen()
            return
        if measured is not None:
            self._used += 1
            self._on_measured(measured)
        elif self.source.unseen:
            self._note(self.source.unseen, self.source.unseen)

    def _note(self, trouble: str, kind: str) -> None:
        """Keep a trouble, and log the first of each kind."""
        self._trouble = trouble
        if kind not in self._logged and len(self._logged) < MAX_LOGGED:
            self._logged.add(kind)
            self._node.get_logger().error(f"{self._topic}: {trouble}")

    def trouble(self) -> tuple[str | None, dict[str, str]]:
        """See :class:`Feed`."""
        trouble, self._trouble = self._trouble, None
        if not self._arrived:
            trouble = self._missing()
        self._arrived = 0
        return trouble, {f"{self.source.topic}{PER_SECOND}": f"{self._rate.take(self._used):.1f}"}

    def _missing(self) -> str | None:
        """Return why no message arrives; None = not known."""
        publishers = self._node.get_publishers_info_by_topic(self._topic)
        others = sorted({p.topic_type for p in publishers} - {self.source.message_type})
        if not others:
            return None
        fits = [name for name in SOURCES if SOURCES.get(name).message_type == others[0]]
        remedy = (
            f"start with source:={fits[0]}, and remap {SOURCES.get(fits[0]).topic} to it"
            if fits
            else "have it published as that"
        )
        return f"{self._topic} is {others[0]}, expected {self.source.message_type}: {remedy}"


class FrameFeed:
    """Feed of /tf and /tf_static, from when they are needed; messages wait for the next sample."""

    def __init__(self, node: Node) -> None:
        self._node, self._listens = node, False
        self._told = FrameMessages()

    def listen(self) -> None:
        """Subscribe, where it is not done yet and the type of the messages is installed."""
        if self._listens:
            return
        self._listens = True
        try:
            kind = message_class(FRAMES)
        except ImportError:
            self._node.get_logger().error(
                f"/tf cannot be read: {FRAMES.partition('/')[0]} is not installed; give "
                "pose_transform"
            )
            return
        for topic, fixed, profile in (
            ("/tf", False, qos.SENSOR_EVERY),
            ("/tf_static", True, qos.RECORD),
        ):
            self._node.create_subscription(kind, topic, partial(self._on_frames, fixed), profile)

    def take(self) -> tuple[tuple[Any, bool], ...]:
        """Return the messages since the last call, each with whether it is of /tf_static."""
        return self._told.take()

    def _on_frames(self, fixed: bool, msg: Any) -> None:
        self._told.add(msg, fixed)


def arrival(node: Node) -> int | None:
    """Return the node's time [ns]; None where time is simulated: its clock has its own pace."""
    clock = node.get_clock()
    simulated = node.get_parameter("use_sim_time").value
    if simulated or clock.clock_type is not ClockType.ROS_TIME:
        return None
    return int(clock.now().nanoseconds)


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
        source = kind(task, values["history"])
        if isinstance(source, PoseSource):
            source.understand(PoseSettings.of(values))
        return TopicFeed(node, source, on_measured)
    # OpenCV, which poses can do without
    from icpi_ros.ros.perception.camera_source import CameraFeed

    return CameraFeed(node, kind, task, values, on_measured)


def message_class(name: str) -> Any:
    """Return the class of a message type such as ``geometry_msgs/msg/PoseStamped``.

    Raises:
        ImportError: its package is not installed.
    """
    package, _, kind = name.split("/")
    found = import_module(f"{package}.msg")
    if not hasattr(found, kind):  # any folder of that name, as of its sources
        raise ImportError(f"{package} has no {kind}")
    return getattr(found, kind)
