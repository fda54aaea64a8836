"""Who publishes a topic that only one node may publish.

A second publisher of joint states (a forgotten ``joint_state_publisher``, ``ros2 bag play``) makes
the arm seem to be where it is not; a motion planned from there, or a hold computed from it, would
make it jump.
"""

from __future__ import annotations

import time

import numpy as np
from rclpy.node import Node

COUNT_PERIOD = 0.2
"""Steady time between two looks at who publishes [s]."""


class Publishers:
    """Who publishes a topic; used by any thread.

    Args:
        node: that looks.
        topic: full name, as remapped.
    """

    def __init__(self, node: Node, topic: str) -> None:
        """Look at nothing yet."""
        self._node, self._topic = node, topic
        self._known = ("", -np.inf)

    @property
    def doubt(self) -> str:
        """Whom to stop if more than one publishes; empty = at most one does."""
        text, at = self._known
        now = time.monotonic()
        if now - at > COUNT_PERIOD:
            text = self._look()
            self._known = (text, now)
        return text

    def _look(self) -> str:
        if self._node.count_publishers(self._topic) < 2:
            return ""
        found = self._node.get_publishers_info_by_topic(self._topic)
        if len(found) < 2:  # one has just gone
            return ""
        names = sorted(f"{i.node_namespace.rstrip('/')}/{i.node_name}" for i in found)
        return (
            f"{self._topic} has {len(names)} publishers, {', '.join(names)}: nothing moves while "
            "there is more than one; stop or remap all but the arm's driver (one that was killed "
            "is listed for some 20 s more)"
        )
