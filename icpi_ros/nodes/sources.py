"""Where object positions come from: one file per source, one registry line each."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node

from icpi_ros.motion.rest import RestDetector
from icpi_ros.nodes import convert, qos
from icpi_ros.nodes.rate import Rate
from icpi_ros.nodes.topics import OBJECT_POSE
from icpi_ros.perception.quality import Quality, judge_pose
from icpi_ros.perception.window import ObjectHistory
from icpi_ros.registry import Registry
from icpi_ros.tasks.base import Task
from icpi_ros.types import SECOND, Array, ObjectTrajectory


@dataclass(frozen=True)
class Seen:
    """One measurement: stamp [ns], position ``(3,)`` [m], and whether the object rests."""

    ns: int
    position: Array
    at_rest: bool


OnSeen = Callable[[Seen], None]
PER_SECOND = " per second"


class Source(ABC):
    """Follows the object; single-threaded, callbacks only.

    Args:
        node: to subscribe with.
        task: whose object it is.
        values: the node's parameters.
        on_seen: told every measurement, in their order.

    Raises:
        UsageError: a parameter does not fit.
    """

    @abstractmethod
    def __init__(self, node: Node, task: Task, values: Mapping[str, Any], on_seen: OnSeen) -> None:
        """Subscribe to what the source needs."""

    @property
    @abstractmethod
    def newest(self) -> int | None:
        """Stamp of the last sample or image that was looked at [ns], seen or not."""

    @abstractmethod
    def path(self, start: int, stop: int) -> tuple[ObjectTrajectory, Quality] | None:
        """Return the path between two stamps [ns] and its quality; None = nothing was seen."""

    @abstractmethod
    def trouble(self) -> tuple[str, dict[str, str]]:
        """Return what is wrong since the last call (empty = nothing), and values to show.

        Values whose names end with :data:`PER_SECOND` are rates of what the source needs.
        """


class TrackedPose(Source):
    """Pose from motion capture or simulation, taken as it is."""

    def __init__(self, node: Node, task: Task, values: Mapping[str, Any], on_seen: OnSeen) -> None:
        """See :class:`Source`."""
        self._history = ObjectHistory(task.rest, values["history"])
        self._rest, self._on_seen = RestDetector(task.rest), on_seen
        self._poses, self._rate = 0, Rate()

        def on_pose(msg: PoseStamped) -> None:
            self._take(*convert.position_from(msg))

        # Every sample counts: a path with holes is a worse observation.
        node.create_subscription(PoseStamped, OBJECT_POSE, on_pose, qos.SENSOR_EVERY)

    def _take(self, ns: int, position: Array) -> None:
        if convert.is_finite(position) and self._history.add(ns, position):
            self._poses += 1
            resting = self._rest.update(ns / SECOND, position)
            self._on_seen(Seen(ns, position, resting))

    @property
    def newest(self) -> int | None:
        """See :class:`Source`."""
        return self._history.newest

    def path(self, start: int, stop: int) -> tuple[ObjectTrajectory, Quality] | None:
        """See :class:`Source`."""
        found = self._history.cut(start, stop)
        return None if found is None else (found, judge_pose(found))

    def trouble(self) -> tuple[str, dict[str, str]]:
        """See :class:`Source`."""
        return "", {f"{OBJECT_POSE}{PER_SECOND}": f"{self._rate.take(self._poses):.1f}"}


SOURCES: Registry[type[Source]] = Registry(
    "source",
    {
        "camera": "icpi_ros.nodes.camera_source:CameraSource",
        "tracked_pose": "icpi_ros.nodes.sources:TrackedPose",
    },
)
