"""An arm behind its controller's action FollowJointTrajectory, from ``control_msgs``.

``control_msgs`` is imported where it is used: without it everything else works.
"""

from __future__ import annotations

import importlib
import time
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from action_msgs.srv import CancelGoal
from rclpy.node import Node
from rclpy.task import Future

from icpi_ros.core.types import SECOND, Array
from icpi_ros.motion.carried_stop import CarriedTrajectory
from icpi_ros.motion.safety import CheckedTrajectory
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.ros.arm_ports.arm_feed import ArmFeed
from icpi_ros.ros.arm_ports.arm_port import ArmPort, MotionCommand
from icpi_ros.ros.arm_ports.recorder_wait import RecorderWait
from icpi_ros.ros.arm_ports.topic_port import TopicPort, headed, hold_point
from icpi_ros.ros.base import convert
from icpi_ros.ros.base.calls import GoalResult, SafeActionClient, call
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.base.topics import FOLLOW, TRIAL_WINDOW

FEEDBACK_TIME = 0.2
"""Steady time for two feedback messages, which give the exact start of a motion [s]."""
POSITION_TOLERANCE = 1e-4
"""Largest distance of a commanded joint from the path at the time in the feedback [rad]."""
MIN_SPEED = 0.05
"""Joint speed from which a wrong time shows in the position on the path [rad/s]."""
MAX_START_DIFFERENCE, MIN_STAMP_DISTANCE = 1_000_000, 5_000_000
"""Largest difference between the starts in two feedback messages, and the least between their
stamps [ns]: the same message may come twice."""
CANCEL_TIME = 0.1
"""Time until a cancelled motion has come to rest [s]."""
NO_TOLERANCE = -1.0
"""Tolerance [rad] that means "none": a hold is not given up because the arm is elsewhere."""
MAX_GOALS = 8
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
    """Tolerances of every goal: path and goal [rad] of each joint, goal time [s]."""

    path: float
    goal: float
    goal_time: float


@dataclass
class _Goal:
    """State of one goal; ``start_ns`` [ns] is estimated until feedback gives it.

    From the goal's own time ``known_from`` [s] on exactly this path is commanded.
    ``last_feedback``: stamp of the last feedback and the start in it [ns].
    """

    trajectory: JointTrajectory
    known_from: float = 0.0
    handle: Any = None
    rejected: bool = False
    accepted_at: float = 0.0
    start_ns: int = 0
    last_feedback: tuple[int, int] = (0, 0)
    exact: bool = False
    unwanted: bool = False
    result: GoalResult | None = None
    end: MotionStatus | None = field(default=None)


class ActionPort(ArmPort):
    """See :class:`icpi_ros.ros.arm_ports.arm_port.ArmPort`."""

    answers = True
    reports_start = False

    def __init__(
        self,
        node: Node,
        arm: Arm,
        feed: ArmFeed,
        tolerances: Tolerances,
        controller: str,
        topic: TopicPort,
        recorded: bool = False,
    ) -> None:
        """Open the action client; ``topic`` of the same controller is for the last holds.

        ``recorded``: the graph has a recorder, which must not miss the first trial.
        """
        from control_msgs.action import FollowJointTrajectory

        self._action, self._name = FollowJointTrajectory, f"{controller}/{FOLLOW}"
        super().__init__(feed)
        self._node, self._arm, self._tolerances = node, arm, tolerances
        self._client = SafeActionClient(node, FollowJointTrajectory, self._name)
        self._cancel = node.create_client(CancelGoal, f"{self._name}/_action/cancel_goal")
        self._goals: dict[str, _Goal] = {}
        self._topic = topic
        window = node.resolve_topic_name(TRIAL_WINDOW)
        self._recorder = RecorderWait(node, window, recorded)

    @property
    def controller_seen(self) -> bool:
        """See the class."""
        return self._client.present

    @property
    def has_controller(self) -> bool:
        """See the class; asked again and again until it is true."""
        return self._client.ready() and self._recorder.over

    def write(self, motion: CheckedTrajectory) -> Any:
        """See the class."""
        return self._message(convert.trajectory_msg(motion.trajectory, ""), self._tolerances)

    def send(self, command: MotionCommand) -> None:
        """See the class."""
        path, message = command.motion.trajectory, command.message
        trajectory = headed(replace(command, message=message and message.trajectory))
        if message is None:
            message = self._message(trajectory, self._tolerances)
        known_from = float(path.times[1]) if command.joined else 0.0
        self._send(_Goal(path, known_from), command.label, message)

    def _send(self, goal: _Goal, label: str, message: Any) -> None:
        self._goals[label] = goal
        while len(self._goals) > MAX_GOALS:
            self._goals.pop(next(iter(self._goals)))
        reply = self._client.send(message, lambda feedback: self._on_feedback(goal, feedback))
        reply.add_done_callback(lambda future: self._on_reply(goal, future))

    def hold(
        self, label: str, attempt: int = 0, path: CarriedTrajectory | None = None, start_ns: int = 0
    ) -> float:
        """Send the hold as a goal; where that does not help cancel all; then use the topic.

        A cancelled controller jumps to where the arm is measured, and one that decelerates jumps
        there first.  A goal replaces whatever moves the arm, also what came by topic; no cancel
        reaches that.
        """
        if attempt == 1:
            return self._cancel_all()
        if attempt > 1:
            return self._topic.hold(label, attempt, path, start_ns)
        if path is not None:
            motion: JointTrajectory | None = path.trajectory
        else:
            motion = hold_point(self._arm, self._feed.state, attempt)
        if motion is None:  # the arm's position is unknown
            return self._cancel_all()
        for goal in self._goals.values():
            goal.unwanted = goal.unwanted or goal.handle is None
        trajectory = convert.trajectory_msg(motion, label, start_ns)
        free = Tolerances(NO_TOLERANCE, NO_TOLERANCE, self._tolerances.goal_time)
        self._send(_Goal(motion), label, self._message(trajectory, free))
        return motion.duration

    def cancel(self) -> bool:
        """See the class; the controller jumps to where it measures the arm."""
        self._cancel_all()
        return True

    def _cancel_all(self) -> float:
        """Cancel all goals, others' too: the controller holds, or decelerates if set up to."""
        for goal in list(self._goals.values()):
            if goal.handle is None:
                goal.unwanted = True  # the answer is still to come: cancelled when it does
            elif goal.end is None:
                self._client.cancel(goal.handle)
        if self._cancel.service_is_ready():
            call(self._node.executor, lambda: self._cancel.call_async(CancelGoal.Request()))
        return CANCEL_TIME

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
            report = self._feed.status(label, "rejected")
            reason = report.reason if report is not None else ""
            return [MotionStatus(label, "rejected", self._feed.now, reason)]
        if goal.end is None and goal.result is not None and goal.result.done():
            goal.end = self._end(label, goal.result.result())
        feedback_limit = FEEDBACK_TIME + goal.known_from
        waited = goal.handle is not None and time.monotonic() - goal.accepted_at > feedback_limit
        known = []
        if goal.exact or waited or goal.end is not None:
            known.append(MotionStatus(label, "accepted", goal.start_ns))
        return known if goal.end is None else [*known, goal.end]

    def _end(self, label: str, response: Any) -> MotionStatus:
        state, result = _ENDS.get(response.status, "aborted"), response.result
        if state == "done" and result.error_code != self._action.Result.SUCCESSFUL:
            state = "aborted"
        code = int(result.error_code)
        # A goal whose controller is deactivated ends with the code of a preempted one: only the
        # controller's own text, from outside this program, distinguishes the two.
        preempted = code == self._action.Result.INVALID_GOAL
        if state == "aborted" and preempted and "deactivat" not in result.error_string:
            state = "replaced"
        name = _CODES[-code] if 0 <= -code < len(_CODES) else "unknown code"
        report = self._feed.status(label, "aborted")
        text = report.reason if report is not None else result.error_string
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
        if elapsed <= 0 or len(goal.trajectory.times) < 2:
            return  # a hold is one point: its start is not needed
        # Older controllers leave the time at 0, or give that of their next point.  While the path
        # moves that shows in where it is; while it rests, in a time that does not go on.
        wanted, start = goal.trajectory.at(elapsed / SECOND), stamp - elapsed
        moves = bool(np.abs(wanted.velocity).max() > MIN_SPEED)
        (before, earlier), goal.last_feedback = goal.last_feedback, (stamp, start)
        again = (
            before > 0
            and stamp - before >= MIN_STAMP_DISTANCE
            and abs(start - earlier) <= MAX_START_DIFFERENCE
        )
        # Until its own time ``known_from`` the controller is on its way to this path.
        agrees = elapsed / SECOND < goal.known_from or self._agrees(wanted.position, msg.feedback)
        if agrees and (again or (moves and elapsed / SECOND >= goal.known_from)):
            goal.start_ns, goal.exact = start, True

    def _agrees(self, wanted: Array, feedback: Any) -> bool:
        """Tell whether what is commanded is ``wanted`` ``(n,)`` [rad]."""
        commanded = dict(zip(feedback.joint_names, feedback.desired.positions, strict=False))
        off = [
            abs(commanded.get(n, np.inf) - q) for n, q in zip(self._arm.joints, wanted, strict=True)
        ]
        return bool(np.max(off) <= POSITION_TOLERANCE)

    def _message(self, trajectory: Any, given: Tolerances) -> Any:
        from control_msgs.msg import JointTolerance

        def each(position: float) -> list[Any]:
            return [JointTolerance(name=name, position=position) for name in self._arm.joints]

        return self._action.Goal(
            trajectory=trajectory,
            path_tolerance=each(given.path),
            goal_tolerance=each(given.goal),
            goal_time_tolerance=convert.duration_msg(given.goal_time),
        )
