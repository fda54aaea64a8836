"""Wait for the graph's recorder before the first motion, so that the bag has all of it."""

from __future__ import annotations

import time

from rclpy.node import Node
from rclpy.publisher import Publisher

from icpi_ros.settings.nodes import RECORDER

RECORDER_LIMIT = 5.0
"""Longest wait after the controller is there, steady time [s]."""


class RecorderWait:
    """Wait until the recorder of the namespace subscribes to a topic; then it is over for good.

    Args:
        node: whose motions are recorded.
        topic: of which the recorder must not miss a message.
        recorded: the graph has a recorder; without one nothing is waited for.
        out: publisher of the topic that has another subscriber too, the controller; None = the
            topic is another node's or not used yet.
    """

    def __init__(
        self, node: Node, topic: str, recorded: bool, out: Publisher | None = None
    ) -> None:
        self._node, self._topic, self._out = node, topic, out
        self._waits, self._begun = recorded, 0.0

    @property
    def over(self) -> bool:
        """True where a motion may begin; asked again and again from when all else is there."""
        if self._waits:
            self._waits = not (self._listens() or self._late())
        return not self._waits

    def _listens(self) -> bool:
        here = self._node.get_namespace()
        found = self._node.get_subscriptions_info_by_topic(self._topic)
        named = any((one.node_name, one.node_namespace) == (RECORDER, here) for one in found)
        return named and (self._out is None or self._out.get_subscription_count() > 1)

    def _late(self) -> bool:
        """Return whether motions go on without the recorder: it never keeps a graph from work."""
        now = time.monotonic()
        self._begun = self._begun or now
        if now - self._begun <= RECORDER_LIMIT:
            return False
        self._node.get_logger().warning(
            f"the recorder takes no {self._topic} after {RECORDER_LIMIT:g} s: what begins now may "
            "be missing in the bag"
        )
        return True
