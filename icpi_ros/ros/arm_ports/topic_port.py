"""An arm behind its controller's trajectory topic; without answers the executor supervises it."""

from __future__ import annotations

from typing import Any

import numpy as np
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMsg

from icpi_ros.motion.carried_stop import HOLD_SHARE, HOLD_TIME, CarriedTrajectory
from icpi_ros.motion.safety import CheckedTrajectory
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.ros.arm_ports.arm_feed import ArmFeed, ArmState
from icpi_ros.ros.arm_ports.arm_port import ArmPort, MotionCommand
from icpi_ros.ros.arm_ports.recorder_wait import RecorderWait
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.base.topics import TRAJECTORY

FRESH = 0.25
"""Oldest joint state from which a hold is computed, steady time [s]."""


class TopicPort(ArmPort):
    """See :class:`icpi_ros.ros.arm_ports.arm_port.ArmPort`."""

    def __init__(
        self, node: Node, arm: Arm, feed: ArmFeed, controller: str, recorded: bool = False
    ) -> None:
        """Open the topic; no tolerances can be sent here, the executor watches them.

        Args:
            node: that sends.
            arm: that moves.
            feed: of its joint states.
            controller: name.
            recorded: the graph has a recorder, which must not miss the first motion.
        """
        super().__init__(feed)
        self._node, self._arm = node, arm
        topic = f"{controller}/{TRAJECTORY}"
        self._out = node.create_publisher(JointTrajectoryMsg, topic, qos.COMMAND)
        self._recorder = RecorderWait(node, self._out.topic_name, recorded, self._out)

    @property
    def controller_seen(self) -> bool:
        """See the class."""
        return self._node.count_subscribers(self._out.topic_name) > 0

    @property
    def has_controller(self) -> bool:
        """See the class; not before the recorder, which comes after the controller, if at all."""
        return self.controller_seen and self._recorder.over

    @property
    def answers(self) -> bool:
        """See the class; the simulated arm does, a real controller does not."""
        return self._feed.reports_status

    @property
    def reports_start(self) -> bool:
        """See the class; the simulated arm does."""
        return self.answers

    def write(self, motion: CheckedTrajectory) -> Any:
        """See the class."""
        return convert.trajectory_msg(motion.trajectory, "")

    def send(self, command: MotionCommand) -> None:
        """See the class."""
        self._out.publish(headed(command))

    def hold(
        self, label: str, attempt: int = 0, path: CarriedTrajectory | None = None, start_ns: int = 0
    ) -> float:
        """Send ``path``, or one point at rest where the arm is or where it can stop if it moves.

        The position of an arm without joint states is unknown: it would jump to where it was.  Its
        motion under way was checked and ends at rest.
        """
        if path is not None:
            self._out.publish(convert.trajectory_msg(path.trajectory, label, start_ns))
            return path.trajectory.duration
        point = hold_point(self._arm, self._feed.state, attempt)
        if point is None:
            return 0.0
        self._out.publish(convert.trajectory_msg(point, label))
        return point.duration

    def cancel(self) -> bool:
        """See the class."""
        return False

    def exact(self, label: str) -> bool:
        """See the class."""
        return self._feed.status(label, "accepted") is not None

    def status(self, label: str, *states: str) -> MotionStatus | None:
        """See the class."""
        return self._feed.status(label, *states)


def headed(command: MotionCommand) -> JointTrajectoryMsg:
    """Return the message of a motion; ``command.message`` is a trajectory here."""
    written = command.message
    if written is None:
        motion = command.motion.trajectory
        path = motion.without_start() if command.joined else motion
        return convert.trajectory_msg(path, command.label, command.start_ns)
    written.header = convert.header(command.start_ns, command.label)
    return written


def hold_point(arm: Arm, state: ArmState | None, attempt: int) -> JointTrajectory | None:
    """Return one point at rest, reached without a jump; the controller joins from where it is.

    None: the arm's position or speed is unknown.

    The quintic from speed v to a point v T / 2 ahead at rest brakes with 1.5 v / T at most.  Every
    further attempt takes twice the time: the command may be far from where the arm is.
    """
    if state is None or state.age > FRESH or not state.has_velocity:
        return None
    limits = arm.limits
    allowed = HOLD_SHARE * limits.acceleration
    duration = 2.0**attempt * max(HOLD_TIME, float(np.max(1.5 * np.abs(state.qd) / allowed)))
    q = np.clip(state.q + 0.5 * duration * state.qd, limits.lower, limits.upper)
    rest = np.zeros((1, len(q)))
    return JointTrajectory(arm.joints, np.array([duration]), q[np.newaxis], rest, rest.copy())
