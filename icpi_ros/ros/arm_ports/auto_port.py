"""Choice of the port to an arm: by its controller's topic, its action, or the one that is there."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any

from rclpy.node import Node

from icpi_ros.core.errors import UsageError
from icpi_ros.motion.carried_stop import CarriedTrajectory
from icpi_ros.motion.safety import CheckedTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.ros.arm_ports import action_port
from icpi_ros.ros.arm_ports.action_port import ActionPort, Tolerances
from icpi_ros.ros.arm_ports.arm_feed import ArmFeed
from icpi_ros.ros.arm_ports.arm_port import ArmPort, MotionCommand
from icpi_ros.ros.arm_ports.topic_port import TopicPort
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.base.topics import CONTROLLER

GRACE = 1.0
"""With ``auto``: steady time for the action server after the topic was found [s]."""
WIDER = 1.5
"""Path tolerance of a goal as a share of the executor's: the executor stops first, on a path that
the controller has not given up meanwhile."""


def make_port(
    node: Node, arm: Arm, changed: threading.Condition, values: Mapping[str, Any]
) -> ArmPort:
    """Return the adapter that the parameters ask for.

    Args:
        node: whose executor serves it.
        arm: whose joints are meant.
        changed: notified at every news.
        values: parameters of the executor.

    Raises:
        UsageError: the action is asked for, but ``control_msgs`` is not installed.
    """
    kind, name = values["controller"], values["controller_name"]
    if not name:
        raise UsageError(f"parameter controller_name is empty: for example {CONTROLLER}")
    installed = action_port.installed()
    if kind == "action" and not installed:
        raise UsageError(
            "parameter controller = 'action' needs control_msgs: install "
            "ros-jazzy-control-msgs, or use 'topic'"
        )
    feed = ArmFeed(node, arm, changed, name)
    path = WIDER * values["tracking_tolerance"]
    tolerances = Tolerances(path, values["goal_tolerance"], values["goal_time"])

    topic = TopicPort(node, arm, feed, name, values["recorded"])
    if kind == "topic" or not installed:
        return topic
    action = ActionPort(node, arm, feed, tolerances, name, topic, values["recorded"])
    return action if kind == "action" else AutoPort(feed, action, topic)


class AutoPort(ArmPort):
    """Port by the action if its server is there, else by the topic; chosen at the first motion."""

    def __init__(self, feed: ArmFeed, action: ArmPort, topic: ArmPort) -> None:
        super().__init__(feed)
        self._action, self._topic = action, topic
        self._chosen: ArmPort | None = None
        self._topic_seen: float | None = None

    @property
    def controller_seen(self) -> bool:
        """See :class:`ArmPort`."""
        return self._action.controller_seen or self._topic.controller_seen

    @property
    def has_controller(self) -> bool:
        """See :class:`ArmPort`; asked again and again until it is true."""
        if self._chosen is None:
            if self._action.has_controller:
                self._chosen = self._action
            elif self._topic.has_controller:
                now = time.monotonic()
                self._topic_seen = self._topic_seen or now
                if now - self._topic_seen > GRACE:
                    self._chosen = self._topic
        return self._chosen is not None and self._chosen.has_controller

    @property
    def answers(self) -> bool:
        """See :class:`ArmPort`."""
        return self._way.answers

    @property
    def reports_start(self) -> bool:
        """See :class:`ArmPort`."""
        return self._way.reports_start

    def write(self, motion: CheckedTrajectory) -> Any:
        """See :class:`ArmPort`."""
        return self._way.write(motion)

    def send(self, command: MotionCommand) -> None:
        """See :class:`ArmPort`."""
        self._way.send(command)

    def hold(
        self, label: str, attempt: int = 0, path: CarriedTrajectory | None = None, start_ns: int = 0
    ) -> float:
        """See :class:`ArmPort`."""
        return self._way.hold(label, attempt, path, start_ns)

    def cancel(self) -> bool:
        """See :class:`ArmPort`."""
        return self._way.cancel()

    def exact(self, label: str) -> bool:
        """See :class:`ArmPort`."""
        return self._way.exact(label)

    def status(self, label: str, *states: str) -> MotionStatus | None:
        """See :class:`ArmPort`."""
        return self._way.status(label, *states)

    @property
    def _way(self) -> ArmPort:
        return self._chosen or self._topic
