"""Recording of a demonstration from a live topic of joint states, for `icpi task new --topic`."""

from __future__ import annotations

import os
import time

import numpy as np
from rclpy.exceptions import NameValidationException
from sensor_msgs.msg import JointState

from icpi_ros.core.errors import ObservationMissing, UsageError
from icpi_ros.core.types import SECOND, Array
from icpi_ros.motion.demonstration.recording import JointRecording, recording_of
from icpi_ros.robots.base import Arm
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.convert import to_ns
from icpi_ros.ros.base.joint_reading import UnusableState, read_joints
from icpi_ros.ros.clients.client_node import ClientNode

STATE_TIMEOUT = 5.0
"""Longest wait for a joint state [s]."""
MOVED, RESTED = 0.05, 0.005
"""A joint that is farther from its start has moved, and one that turns less rests [rad]."""
REST_TIME = 1.0
"""Rest that ends the recording [s]."""


class JointClient(ClientNode):
    """Subscriber of one topic of joint states that keeps those of one arm; a context manager."""

    def __init__(self, topic: str, arm: Arm) -> None:
        """Subscribe; nothing is waited for.

        Raises:
            UsageError: ``topic`` is no name of a topic.
        """
        super().__init__("icpi_task_new")
        self._topic, self._arm = topic, arm
        self._stamps: list[int] = []
        self._rows: list[Array] = []
        self._problem = ""
        self._moved, self._rests_since, self._rests_at = False, 0, arm.home
        try:
            self.node.create_subscription(JointState, topic, self._on_state, qos.SENSOR_EVERY)
        except (NameValidationException, ValueError) as exc:
            self.close()
            raise UsageError(f"--topic {topic!r} is no name of a topic") from exc
        self.spin()

    def recorded(self, timeout: float) -> JointRecording:
        """Return all from now until the arm has moved and rested again.

        Args:
            timeout: longest wait for that [s].

        Raises:
            ObservationMissing: no joint state of the arm comes, or it does not move and rest.
            InvalidValue: see :func:`recording_of`.
        """
        deadline = time.monotonic() + timeout
        with self.changed:
            while not self._has_moved_and_rests():
                self.changed.wait(min(STATE_TIMEOUT, max(deadline - time.monotonic(), 0.0)))
                if time.monotonic() > deadline:
                    raise ObservationMissing(self._unfinished(timeout))
                if not self._rows:
                    raise ObservationMissing(self._missing())
            stamps, rows = np.array(self._stamps), np.stack(self._rows)
        times = (stamps - stamps[0]) / SECOND
        return recording_of(self._arm.joints, times, rows, self._arm, self._topic)

    def _has_moved_and_rests(self) -> bool:
        return self._moved and self._stamps[-1] - self._rests_since >= REST_TIME * SECOND

    def _unfinished(self, timeout: float) -> str:
        if not self._rows:
            return self._missing()
        return (
            f"the arm did not move and rest again within {timeout:g} s on {self._topic}: move it "
            f"after the start, hold it at rest for {REST_TIME:g} s, or give more --timeout"
        )

    def _missing(self) -> str:
        domain = os.environ.get("ROS_DOMAIN_ID", "0")
        kind = "sensor_msgs/msg/JointState"
        known = self.node.get_topic_names_and_types()
        others = sorted(name for name, kinds in known if kind in kinds and name != self._topic)
        why = self._problem or f"joint states are on {', '.join(others) or 'no topic'}"
        return (
            f"no joint state of arm {self._arm.name} on {self._topic} for {STATE_TIMEOUT:g} s "
            f"(ROS_DOMAIN_ID {domain}): {why}"
        )

    def _on_state(self, msg: JointState) -> None:
        try:
            read = read_joints(msg.name, msg.position, (), self._arm.joints)
        except UnusableState as exc:
            with self.changed:
                self._problem = str(exc)
            return
        stamp = to_ns(msg.header.stamp)
        with self.changed:
            if not self._rows or np.abs(read.q - self._rests_at).max() > RESTED:
                self._rests_since, self._rests_at = stamp, read.q
            self._stamps.append(stamp)
            self._rows.append(read.q)
            self._moved = self._moved or bool(np.abs(read.q - self._rows[0]).max() > MOVED)
            self.changed.notify_all()
