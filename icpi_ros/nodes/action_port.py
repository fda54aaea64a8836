"""An arm behind its controller's action FollowJointTrajectory, from ``control_msgs``.

``control_msgs`` is imported where it is used: without it everything else works.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from rclpy.node import Node
from rclpy.task import Future

from icpi_ros.arms.base import Arm
from icpi_ros.motion.safety import CheckedTrajectory
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.nodes import convert
from icpi_ros.nodes.arm_feed import ArmFeed, FeedPort
from icpi_ros.nodes.calls import GoalResult, SafeActionClient, call
from icpi_ros.nodes.convert import MotionStatus
from icpi_ros.nodes.topics import FOLLOW
from icpi_ros.types import SECOND

FEEDBACK = 0.15
"""Steady time for the first feedback, which tells the exact start of a motion [s]."""
AGREES = 1e-4
"""Distance of a commanded joint from the path at the time that feedback tells [rad]."""
CANCELLED = 0.1
"""Time until a cancelled motion has come to rest [s]."""
UNEXPLAINED = "the controller's log says why"
"""Reason of a rejection that is not known: a real controller tells its client none."""
KEPT = 8
"""Goals that are remembered."""
_CODES = (
    "SUCCESSFUL",
    "INVALID_GOAL",
    "INVALID_JOINTS",
    "OLD_HEADER_TIMESTAMP",
    "PATH_TOLERANCE_VIOLATED",
    "GOAL_TOLERANCE_VIOLATED",
)
_ENDS = {GoalStatus.STATUS_SUCCEEDED: "done", GoalStatus.STATUS_CANCELED: "cancelled"}


def installed() -> bool:
    """Tell whether ``control_msgs`` can be imported."""
    try:
        importlib.import_module("control_msgs.action")
    except ImportError:
        return False
    return True


@dataclass(frozen=True)
class Tolerances:
    """What every goal asks of the controller: path and goal [rad] of each joint, goal time [s]."""

    path: float
    goal: float
    goal_time: float


@dataclass
class _Goal:
    """What is known of one goal; ``start_ns`` is estimated until feedback says it."""

    trajectory: JointTrajectory
    handle: Any = None
    rejected: bool = False
    accepted_at: float = 0.0
    start_ns: int = 0
    exact: bool = False
    unwanted: bool = False
    result: GoalResult | None = None
    end: MotionStatus | None = field(default=None)


class ActionPort(FeedPort):
    """See :class:`icpi_ros.nodes.arm_port.ArmPort`."""

    answers = True

    def __init__(
        self, node: Node, arm: Arm, feed: ArmFeed, tolerances: Tolerances, controller: str
    ) -> None:
        """Open the action client."""
        from control_msgs.action import FollowJointTrajectory

        self._action, self._name = FollowJointTrajectory, f"{controller}/{FOLLOW}"
        super().__init__(feed)
        self._node, self._arm, self._tolerances = node, arm, tolerances
        self._client = SafeActionClient(node, FollowJointTrajectory, self._name)
        self._cancel = node.create_client(CancelGoal, f"{self._name}/_action/cancel_goal")
        self._goals: dict[str, _Goal] = {}

    @property
    def has_controller(self) -> bool:
        """See the class; asked again and again until it is true."""
        return self._client.ready()

    def send(self, motion: CheckedTrajectory, label: str, start_ns: int = 0) -> None:
        """See the class."""
        goal = self._goals[label] = _Goal(motion.trajectory)
        while len(self._goals) > KEPT:
            self._goals.pop(next(iter(self._goals)))
        message = self._message(convert.trajectory_msg(motion.trajectory, label, start_ns))
        reply = self._client.send(message, lambda feedback: self._on_feedback(goal, feedback))
        reply.add_done_callback(lambda future: self._on_reply(goal, future))

    def hold(self, label: str, attempt: int = 0) -> float:
        """Cancel all goals, others' too: the controller holds, or decelerates if set up to."""
        for goal in list(self._goals.values()):
            if goal.handle is None:
                goal.unwanted = True  # the answer is still to come: cancelled when it does
            elif goal.end is None:
                self._client.cancel(goal.handle)
        if self._cancel.service_is_ready():
            call(self._node.executor, lambda: self._cancel.call_async(CancelGoal.Request()))
        return CANCELLED

    def exact(self, label: str) -> bool:
        """See the class."""
        goal = self._goals.get(label)
        return goal is not None and goal.exact

    def status(self, label: str, *states: str) -> MotionStatus | None:
        """See the class."""
        goal = self._goals.get(label)
        found = [] if goal is None else [s for s in self._known(label, goal) if s.state in states]
        return found[-1] if found else None

    def _known(self, label: str, goal: _Goal) -> list[MotionStatus]:
        """Return what is known of a goal, in order."""
        if goal.rejected:
            said = self._feed.status(label, "rejected")
            reason = said.reason if said is not None else UNEXPLAINED
            return [MotionStatus(label, "rejected", self._feed.now, reason)]
        if goal.end is None and goal.result is not None and goal.result.done():
            goal.end = self._end(label, goal.result.result())
        waited = goal.handle is not None and time.monotonic() - goal.accepted_at > FEEDBACK
        known = []
        if goal.exact or waited or goal.end is not None:
            known.append(MotionStatus(label, "accepted", goal.start_ns))
        return known if goal.end is None else [*known, goal.end]

    def _end(self, label: str, response: Any) -> MotionStatus:
        state, result = _ENDS.get(response.status, "aborted"), response.result
        if state == "done" and result.error_code != self._action.Result.SUCCESSFUL:
            state = "aborted"
        code = int(result.error_code)
        name = _CODES[-code] if 0 <= -code < len(_CODES) else "unknown code"
        said = self._feed.status(label, "aborted")
        text = said.reason if said is not None else result.error_string
        reason = "" if state == "done" else f"{name} ({code}): {text or 'no reason given'}"
        return MotionStatus(label, state, self._feed.now, reason)

    def _on_reply(self, goal: _Goal, future: Future) -> None:
        if future.exception() is not None:
            self._node.get_logger().error(f"a motion could not be sent: {future.exception()}")
            goal.rejected = True
            return
        handle = future.result()
        if not handle.accepted:
            goal.rejected = True
            return
        goal.accepted_at = time.monotonic()
        if not goal.exact:
            goal.start_ns = self._feed.now
        goal.handle = handle
        goal.result = self._client.result(handle)
        if goal.unwanted:
            self._client.cancel(handle)

    def _on_feedback(self, goal: _Goal, msg: Any) -> None:
        if goal.exact:
            return
        stamp = convert.to_ns(msg.feedback.header.stamp)
        elapsed = convert.to_ns(msg.feedback.desired.time_from_start)
        # Older controllers leave the time at 0, or tell that of their next point.
        if elapsed > 0 and self._agrees(goal.trajectory, msg.feedback, elapsed / SECOND):
            goal.start_ns, goal.exact = stamp - elapsed, True

    def _agrees(self, trajectory: JointTrajectory, feedback: Any, elapsed: float) -> bool:
        """Tell whether what is commanded is the path at that time."""
        told = dict(zip(feedback.joint_names, feedback.desired.positions, strict=False))
        wanted = trajectory.at(elapsed).position
        off = [abs(told.get(n, np.inf) - q) for n, q in zip(self._arm.joints, wanted, strict=True)]
        return bool(np.max(off) <= AGREES)

    def _message(self, trajectory: Any) -> Any:
        from control_msgs.msg import JointTolerance

        given = self._tolerances

        def each(position: float) -> list[Any]:
            return [JointTolerance(name=name, position=position) for name in self._arm.joints]

        return self._action.Goal(
            trajectory=trajectory,
            path_tolerance=each(given.path),
            goal_tolerance=each(given.goal),
            goal_time_tolerance=convert.duration_msg(given.goal_time),
        )
