"""The action FollowJointTrajectory of the simulated controller; needs ``control_msgs``."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from rclpy.action import ActionServer, CancelResponse, GoalResponse
from rclpy.action.server import ServerGoalHandle
from rclpy.task import Future

from icpi_ros.core.types import SECOND, Array
from icpi_ros.ros.base import convert
from icpi_ros.ros.base.serving import RESULT_KEPT
from icpi_ros.ros.base.spin import IcpiNode
from icpi_ros.ros.sim.simulated_arm import Snapshot
from icpi_ros.sim.controller_orders import Event, MotionState, MotionTolerances, Tolerance

SHOWN = 50_000_000
"""Time between feedback messages [ns of simulated time]: the controller's default, 20 Hz."""
NO_TOLERANCE = -1.0
"""Tolerance [unit of the joint] of a goal that means "none", whatever the default is."""


class SimulatedAction:
    """Server of goals that rejects, preempts, cancels and ends them as ros2_control does.

    Args:
        node: whose executor serves.
        name: of the action.
        joints: of the arm.
        order: takes a trajectory message, its tolerances, and who is to be answered.
        hold: gives a motion up, by label.
    """

    def __init__(
        self,
        node: IcpiNode,
        name: str,
        joints: Sequence[str],
        order: Callable[[Any, MotionTolerances | None, Callable[[str | None], None]], None],
        hold: Callable[[str], None],
    ) -> None:
        from control_msgs.action import FollowJointTrajectory

        self._type = FollowJointTrajectory
        self._node, self._joints, self._order, self._hold = node, joints, order, hold
        self._count = itertools.count(1)
        self._ends: dict[str, Future] = {}
        self._starts: dict[str, int] = {}
        self._handles: dict[str, ServerGoalHandle] = {}
        self._reached: dict[str, Event] = {}
        self._shown = 0
        self._now = 0
        self._server = ActionServer(
            node,
            FollowJointTrajectory,
            name,
            self._execute,
            goal_callback=self._on_goal,
            cancel_callback=self._on_cancel,
            result_timeout=RESULT_KEPT,
        )

    def report(self, event: Event) -> None:
        """Note an event of a motion; the ones of other senders are none of ours."""
        if event.label not in self._ends:
            return
        if event.state is MotionState.ACCEPTED:
            self._starts[event.label] = event.ns
        elif event.state in (MotionState.DONE, MotionState.ABORTED):
            self._reached[event.label] = event
        elif event.state is not MotionState.REJECTED:
            self._set(self._ends[event.label], event)

    def show(self, now: Snapshot) -> None:
        """Publish feedback from time to time."""
        self._now = now.ns
        if now.ns - self._shown < SHOWN:
            return
        self._shown = now.ns
        # A real controller looks at its goal as often, and reports its end only then.
        for label in list(self._reached):
            event = self._reached.pop(label)
            if label in self._ends:
                self._set(self._ends[label], event)
        for label, handle in list(self._handles.items()):
            self._feedback(label, handle, now)

    async def _on_goal(self, goal: Any) -> GoalResponse:
        header = goal.trajectory.header
        if not header.frame_id or header.frame_id in self._ends:
            header.frame_id = f"goal/{next(self._count)}"
        self._ends[header.frame_id] = Future()
        answered = Future()
        self._order(goal.trajectory, self._watch(goal), lambda reason: self._set(answered, reason))
        if await answered:
            self._ends.pop(header.frame_id)
            return GoalResponse.REJECT
        return GoalResponse.ACCEPT

    def _on_cancel(self, handle: ServerGoalHandle) -> CancelResponse:
        self._hold(handle.request.trajectory.header.frame_id)
        return CancelResponse.ACCEPT

    async def _execute(self, handle: ServerGoalHandle) -> Any:
        label = handle.request.trajectory.header.frame_id
        self._feedback(label, handle, None)
        self._handles[label] = handle
        try:
            event = await self._ends[label]
        finally:
            for table in (self._ends, self._starts, self._handles):
                table.pop(label, None)
        if event.state is MotionState.DONE:
            handle.succeed()
        elif event.state is MotionState.CANCELLED and handle.is_cancel_requested:
            handle.canceled()
        else:
            handle.abort()
        return self._result(event)

    def _result(self, event: Event) -> Any:
        codes = self._type.Result
        code = codes.SUCCESSFUL
        if event.state is MotionState.REPLACED:
            code = codes.INVALID_GOAL
        elif event.state is MotionState.ABORTED:
            late = event.violated is Tolerance.GOAL
            code = codes.GOAL_TOLERANCE_VIOLATED if late else codes.PATH_TOLERANCE_VIOLATED
        return codes(error_code=code, error_string=event.reason)

    def _feedback(self, label: str, handle: ServerGoalHandle, now: Snapshot | None) -> None:
        """Publish the state of one goal; its start follows from stamp and time."""
        start = self._starts.get(label)
        if start is None or not handle.is_active:
            return
        msg = self._type.Feedback(joint_names=list(self._joints))
        msg.header.stamp = convert.time_msg(self._now)
        msg.desired.time_from_start = convert.duration_msg((self._now - start) / SECOND)
        if now is not None:
            msg.actual.positions = now.q.tolist()
            msg.desired.positions = now.wanted.tolist()
        handle.publish_feedback(msg)

    def _watch(self, goal: Any) -> MotionTolerances:
        """Return the tolerances of a goal; one that is not allowed leaves all at the defaults."""
        try:
            return MotionTolerances(
                self._each(goal.path_tolerance),
                self._each(goal.goal_tolerance),
                _tolerance(convert.to_ns(goal.goal_time_tolerance) / SECOND),
            )
        except ValueError as exc:
            self._node.get_logger().error(f"tolerances of the goal are not used: {exc}")
            return MotionTolerances()

    def _each(self, given: Sequence[Any]) -> Array:
        values = np.zeros(len(self._joints))
        for item in given:
            values[list(self._joints).index(item.name)] = _tolerance(item.position)
        return values

    def _set(self, future: Future, value: Any) -> None:
        if not future.done():
            future.set_result(value)
        if self._node.executor is not None:  # a foreign thread's result does not wake it
            self._node.executor.wake()


def _tolerance(value: float) -> float:
    """Return a tolerance as it holds: 0 = not watched, which is the default here too.

    Raises:
        ValueError: it is negative, and not the one that erases a default.
    """
    if value < 0.0 and value != NO_TOLERANCE:
        raise ValueError(f"{value:g} is negative")
    return max(value, 0.0)
