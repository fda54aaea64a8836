"""Port to an arm: checked motions go out, their status and the arm's state come in.

Two adapters, one file each: :mod:`icpi_ros.ros.arm_ports.topic_port` (the controller's trajectory
topic) and :mod:`icpi_ros.ros.arm_ports.action_port` (FollowJointTrajectory).  Only trajectories
that passed the safety gate can be sent.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from typing import Any, Protocol

from rclpy.node import Node

from icpi_ros.core.errors import UsageError
from icpi_ros.motion.carried_stop import CarriedTrajectory
from icpi_ros.motion.safety import CheckedTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.ros.arm_ports import action_port
from icpi_ros.ros.arm_ports.action_port import ActionPort, Tolerances
from icpi_ros.ros.arm_ports.arm_feed import ArmFeed, ArmState, FeedPort
from icpi_ros.ros.arm_ports.topic_port import TopicPort
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.base.topics import CONTROLLER

GRACE = 1.0
"""With ``auto``: steady time for the action server after the topic was found [s]."""


class ArmPort(Protocol):
    """Interface of an adapter; callbacks write, one worker thread calls."""

    @property
    def state(self) -> ArmState | None:
        """The newest joint state; None until there is one."""

    @property
    def now(self) -> int:
        """The arm's clock at this moment, estimated [ns]."""

    @property
    def pace(self) -> float:
        """Pace of the arm's clock, arm's seconds per steady second."""

    @property
    def doubt(self) -> str:
        """Reason why the arm's state cannot be believed; empty = it can."""

    @property
    def unusable(self) -> str:
        """Reason why arriving joint states cannot be used; empty = none arrives."""

    @property
    def received(self) -> int:
        """Number of joint states that were taken so far."""

    @property
    def controller_seen(self) -> bool:
        """True if the graph has a controller of that name; nothing is asked, nothing chosen."""

    @property
    def has_controller(self) -> bool:
        """True if a controller takes motions."""

    @property
    def answers(self) -> bool:
        """True if the controller reports the status of motions."""

    @property
    def reports_start(self) -> bool:
        """True if the report "accepted" of a motion always has its exact start."""

    def label(self, name: str) -> str:
        """Return a label that no other motion has."""

    def write(self, motion: CheckedTrajectory) -> Any:
        """Return the message that :meth:`send` would send, for later."""

    def send(
        self,
        motion: CheckedTrajectory,
        label: str,
        start_ns: int = 0,
        joined: bool = False,
        message: Any = None,
    ) -> None:
        """Start a checked motion at ``start_ns`` of the arm's clock (0 = now).

        It replaces whatever motion runs.

        Args:
            motion: that passed the gate.
            label: that no other motion has.
            start_ns: its start [ns]; in the past: it has begun already.
            joined: leave out its first point: the controller joins from what it commands.
            message: of this motion, from :meth:`write`.
        """

    def hold(
        self,
        label: str,
        attempt: int = 0,
        known: CarriedTrajectory | None = None,
        start_ns: int = 0,
    ) -> float:
        """Stop without a checked path, whatever is known: the last resort, never refused here.

        Returns how long that takes [s]; every further ``attempt`` is gentler.

        Args:
            label: that no other motion has.
            attempt: from 0.
            known: what to send where the motion under way is known; None = it is not.
            start_ns: the begin of ``known`` on the arm's clock [ns].
        """

    def cancel(self) -> bool:
        """Give up whatever moves the arm, wherever that is; False = this way has no such thing."""

    def exact(self, label: str) -> bool:
        """Tell whether the start in the report "accepted" of a motion is exact."""

    def status(self, label: str, *states: str) -> MotionStatus | None:
        """Return the last report of one of ``states`` about a motion; None so far."""


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

    topic = TopicPort(node, arm, feed, name)
    if kind == "topic" or not installed:
        return topic
    action = ActionPort(node, arm, feed, tolerances, name, topic)
    return action if kind == "action" else AutoPort(feed, action, topic)


class AutoPort(FeedPort):
    """Port by the action if its server is there, else by the topic; chosen at the first motion."""

    def __init__(self, feed: ArmFeed, action: ArmPort, topic: ArmPort) -> None:
        """Keep both ways."""
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

    def send(
        self,
        motion: CheckedTrajectory,
        label: str,
        start_ns: int = 0,
        joined: bool = False,
        message: Any = None,
    ) -> None:
        """See :class:`ArmPort`."""
        self._way.send(motion, label, start_ns, joined, message)

    def hold(
        self,
        label: str,
        attempt: int = 0,
        known: CarriedTrajectory | None = None,
        start_ns: int = 0,
    ) -> float:
        """See :class:`ArmPort`."""
        return self._way.hold(label, attempt, known, start_ns)

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
