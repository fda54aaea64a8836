"""What is heard of an arm: joint states, its clock, and what became of motions."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from sensor_msgs.msg import JointState

from icpi_ros.arms.base import Arm
from icpi_ros.errors import InvalidValue
from icpi_ros.nodes import convert, qos
from icpi_ros.nodes.convert import MotionStatus
from icpi_ros.nodes.topics import JOINT_STATES, STATUS
from icpi_ros.types import SECOND, Array

AT_REST = 0.02
"""Joint speed below which an arm counts as standing [rad/s]."""
PACE_STATES = 25
"""Joint states over which the pace of the arm's clock is measured: bursts must not tell."""
FASTEST = 200.0
"""Highest pace that is believed, arm's seconds per steady second: a simulation may run freely."""


@dataclass(frozen=True)
class ArmState:
    """One joint state: stamp [ns], joints [rad], [rad/s], steady time of arrival [s]."""

    ns: int
    q: Array
    qd: Array
    arrival: float

    @property
    def age(self) -> float:
        """Steady time since it arrived [s]."""
        return time.monotonic() - self.arrival

    @property
    def stands(self) -> bool:
        """True if no joint moves."""
        return bool(np.abs(self.qd).max() < AT_REST)


class ArmFeed:
    """Callbacks write, the worker thread reads; ``changed`` is notified at every news.

    Args:
        node: whose executor listens.
        arm: whose joints count.
        changed: notified at every news.
        controller: name of the arm's controller.
    """

    def __init__(self, node: Node, arm: Arm, changed: threading.Condition, controller: str) -> None:
        """Open the topics."""
        self._node, self._arm, self._changed = node, arm, changed
        self.state: ArmState | None = None
        self._recent: deque[ArmState] = deque(maxlen=PACE_STATES)
        self._count = itertools.count(1)
        self._statuses: deque[MotionStatus] = deque(maxlen=32)
        node.create_subscription(JointState, JOINT_STATES, self._on_state, qos.SENSOR_LATEST)
        status = f"{controller}/{STATUS}"
        told = node.create_subscription(DiagnosticStatus, status, self._on_status, qos.EVENT)
        self._status_topic = told.topic_name  # as remapped: counting does not remap

    def label(self, name: str) -> str:
        """Return a label that no other motion has: a client may repeat its trial ids."""
        return f"{name}/{next(self._count)}"

    @property
    def pace(self) -> float:
        """How fast the arm's clock runs against the steady one; 1 on a real arm."""
        recent = list(self._recent)
        if len(recent) < 2 or recent[-1].arrival <= recent[0].arrival:
            return 1.0
        passed = (recent[-1].ns - recent[0].ns) / SECOND
        return min(max(passed / (recent[-1].arrival - recent[0].arrival), 0.0), FASTEST)

    @property
    def now(self) -> int:
        """The arm's clock at this moment, from its last state and its pace [ns]; 0 = unknown."""
        state = self.state
        if state is None:
            return 0
        return state.ns + convert.ns_from_seconds(state.age * self.pace)

    @property
    def reports_status(self) -> bool:
        """True if the controller says what becomes of motions (a real one does not)."""
        return self._node.count_publishers(self._status_topic) > 0

    def status(self, label: str, *states: str) -> MotionStatus | None:
        """Return the last report of one of ``states`` about motion ``label``, None so far."""
        found = [s for s in list(self._statuses) if s.motion == label and s.state in states]
        return found[-1] if found else None

    def _on_state(self, msg: JointState) -> None:
        try:
            ns, q, qd = convert.joint_state_from(msg, self._arm.joints)
        except InvalidValue:
            return  # another device's joints on the same topic
        if not (np.isfinite(q).all() and np.isfinite(qd).all()):
            return  # not known: staleness is what the executor supervises
        with self._changed:
            if self.state is not None and ns == self.state.ns:
                return  # a repeated stamp is no news: silence is what the executor supervises
            self.state = ArmState(ns, q, qd, time.monotonic())
            self._recent.append(self.state)
            self._changed.notify_all()

    def _on_status(self, msg: DiagnosticStatus) -> None:
        try:
            status = convert.motion_status_from(msg)
        except (InvalidValue, ValueError) as exc:
            self._node.get_logger().warning(str(exc))
            return
        with self._changed:
            self._statuses.append(status)
            self._changed.notify_all()


class FeedPort:
    """What every adapter knows of its arm from the feed; see :class:`ArmPort` in arm_port.

    Args:
        feed: of the arm.
    """

    def __init__(self, feed: ArmFeed) -> None:
        """Keep the feed."""
        self._feed = feed

    @property
    def state(self) -> ArmState | None:
        """The newest joint state; None until there is one."""
        return self._feed.state

    @property
    def now(self) -> int:
        """The arm's clock at this moment, estimated [ns]."""
        return self._feed.now

    @property
    def pace(self) -> float:
        """How fast the arm's clock runs against the steady one."""
        return self._feed.pace

    def label(self, name: str) -> str:
        """Return a label that no other motion has."""
        return self._feed.label(name)
