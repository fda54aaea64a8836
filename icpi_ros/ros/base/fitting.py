"""Subscription that hears publishers of either reliability, as `ros2 topic echo` and bags do.

A reliable subscription hears no best-effort publisher, and camera drivers offer either; a
best-effort one hears both, but loses a large image with any one of its datagrams.  So it is
reliable as long as all publishers are.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy
from rclpy.subscription import Subscription
from rclpy.timer import Timer
from sensor_msgs.msg import CompressedImage, Image

from icpi_ros.ros.base.topics import COMPRESSED

PERIOD = 0.25
"""Steady time between two looks at the publishers [s]."""


@dataclass(frozen=True)
class Heard:
    """A topic to be heard: name, class of its messages, and what takes them."""

    name: str
    kind: Any
    take: Callable[[Any], object]


def _misses_some(profile: QoSProfile) -> bool:
    """Tell whether a stream's publishers may offer less; kept states are our own nodes'."""
    reliable = profile.reliability is ReliabilityPolicy.RELIABLE
    return reliable and profile.durability is DurabilityPolicy.VOLATILE


def image_topics(node: Node, topic: str) -> list[tuple[str, Any]]:
    """Return the names of the topics that may bring a camera's images, with their messages' class.

    ``image_transport`` publishes compressed images below the raw ones; a topic whose name ends so
    is meant itself.
    """
    name = node.resolve_topic_name(topic)
    raw = [] if name.endswith(COMPRESSED) else [(name, Image)]
    return [*raw, (name.removesuffix(COMPRESSED) + COMPRESSED, CompressedImage)]


class FittingSubscription:
    """Subscription to one of some topics, whose reliability follows its publishers.

    Args:
        node: to subscribe with; single-threaded.
        topics: the best first: another one is heard while only that has publishers.
        profile: quality of service where the publishers allow it.
        raw: messages are given as bytes.

    Raises:
        InvalidTopicNameException: a topic's name is none.
    """

    def __init__(
        self,
        node: Node,
        topics: Sequence[Heard],
        profile: QoSProfile,
        raw: bool = False,
    ) -> None:
        """Subscribe, and look at the publishers from now on."""
        self._node, self._topics = node, tuple(topics)
        self._profile, self._raw = profile, raw
        self._weak = copy.copy(profile)
        self._weak.reliability = ReliabilityPolicy.BEST_EFFORT
        self._subscription = self._open(0, profile)
        self._fitted = 0, profile
        self._timer: Timer | None = None
        if len(self._topics) > 1 or _misses_some(profile):
            steady = Clock(clock_type=ClockType.STEADY_TIME)
            self._timer = node.create_timer(PERIOD, self._fit, clock=steady)

    @property
    def topic_name(self) -> str:
        """Full name of the topic that is heard, as remapped."""
        return str(self._subscription.topic_name)

    def publishers(self) -> int:
        """Return the number of the topic's publishers."""
        return self._node.count_publishers(self.topic_name)

    def close(self) -> None:
        """Hear nothing any more."""
        if self._timer is not None:
            self._node.destroy_timer(self._timer)
        self._node.destroy_subscription(self._subscription)

    def _open(self, number: int, profile: QoSProfile) -> Subscription:
        one = self._topics[number]
        return self._node.create_subscription(one.kind, one.name, one.take, profile, raw=self._raw)

    def _fit(self) -> None:
        """Subscribe anew where the publishers ask for it."""
        for number, one in enumerate(self._topics):
            name = self._node.resolve_topic_name(one.name)
            offered = self._node.get_publishers_info_by_topic(name)
            if not offered:
                continue
            weak = any(
                publisher.qos_profile.reliability is ReliabilityPolicy.BEST_EFFORT
                for publisher in offered
            )
            fitting = number, self._weak if weak else self._profile
            if fitting != self._fitted:
                self._node.destroy_subscription(self._subscription)
                self._subscription, self._fitted = self._open(*fitting), fitting
            return
