"""How the executor reaches an arm: the controller's trajectory topic and ``joint_states``.

Only trajectories that passed the safety gate can be sent.  Another way to reach an arm (the
FollowJointTrajectory action) is another class with these methods.
"""

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
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMsg

from icpi_ros.arms.base import Arm
from icpi_ros.errors import InvalidValue
from icpi_ros.motion.safety import CheckedTrajectory
from icpi_ros.nodes import convert, qos
from icpi_ros.nodes.convert import MotionStatus
from icpi_ros.nodes.topics import CONTROLLER_STATUS, CONTROLLER_TRAJECTORY, JOINT_STATES
from icpi_ros.types import Array

AT_REST = 0.02
"""Joint speed below which an arm counts as standing [rad/s]."""


@dataclass(frozen=True)
class ArmState:
    """One joint state: stamp [ns], joints [rad], [rad/s], steady time of arrival [s]."""

    ns: int
    q: Array
    qd: Array
    arrival: float

    @property
    def stands(self) -> bool:
        """True if no joint moves."""
        return bool(np.abs(self.qd).max() < AT_REST)


class ArmPort:
    """Callbacks write, the worker thread reads; ``changed`` is notified at every news."""

    def __init__(self, node: Node, arm: Arm, changed: threading.Condition) -> None:
        """Open the topics."""
        self._node, self._arm, self._changed = node, arm, changed
        self.state: ArmState | None = None
        self._count = itertools.count(1)
        self._statuses: deque[MotionStatus] = deque(maxlen=32)
        self._out = node.create_publisher(JointTrajectoryMsg, CONTROLLER_TRAJECTORY, qos.COMMAND)
        node.create_subscription(JointState, JOINT_STATES, self._on_state, qos.SENSOR_LATEST)
        node.create_subscription(DiagnosticStatus, CONTROLLER_STATUS, self._on_status, qos.EVENT)

    def label(self, name: str) -> str:
        """Return a label that no other motion has: a client may repeat its trial ids."""
        return f"{name}/{next(self._count)}"

    def send(self, motion: CheckedTrajectory, label: str) -> None:
        """Start a checked motion now."""
        self._out.publish(convert.trajectory_msg(motion.trajectory, label))

    def stop(self, label: str) -> None:
        """Brake whatever motion runs (the controller's empty trajectory)."""
        self._out.publish(convert.stop_msg(label))

    @property
    def has_controller(self) -> bool:
        """True if somebody takes trajectories."""
        return self._node.count_subscribers(CONTROLLER_TRAJECTORY) > 0

    @property
    def reports_status(self) -> bool:
        """True if the controller says what becomes of motions (a real one need not)."""
        return self._node.count_publishers(CONTROLLER_STATUS) > 0

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
            self._changed.notify_all()

    def _on_status(self, msg: DiagnosticStatus) -> None:
        try:
            status = convert.motion_status_from(msg)
        except InvalidValue as exc:
            self._node.get_logger().warning(str(exc))
            return
        with self._changed:
            self._statuses.append(status)
            self._changed.notify_all()
