"""Where object positions come from; a camera source will sit beside the tracked pose."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node

from icpi_ros.nodes import convert, qos
from icpi_ros.nodes.topics import OBJECT_POSE
from icpi_ros.types import Array

OnSample = Callable[[int, Array], None]
"""Takes the stamp of a measurement [ns] and the position ``(3,)`` [m], NaN if not seen."""


class Source(ABC):
    """Gives every measurement to a callback, in the order of measurement."""

    @abstractmethod
    def start(self, node: Node, on_sample: OnSample) -> None:
        """Subscribe to what the source needs."""


class TrackedPose(Source):
    """Pose from motion capture or simulation."""

    def start(self, node: Node, on_sample: OnSample) -> None:
        """See :meth:`Source.start`."""

        def on_pose(msg: PoseStamped) -> None:
            on_sample(*convert.position_from(msg))

        # Every sample counts: a path with holes is a worse observation.
        node.create_subscription(PoseStamped, OBJECT_POSE, on_pose, qos.SENSOR_EVERY)


SOURCES: dict[str, type[Source]] = {"tracked_pose": TrackedPose}
