"""One ExecuteMotion goal: checked, carried out, answered."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any

from rclpy.action.server import ServerGoalHandle

from icpi_msgs.action import ExecuteMotion
from icpi_ros.core.errors import InvalidValue, UnknownName
from icpi_ros.core.types import Array
from icpi_ros.ros.base import convert
from icpi_ros.ros.base.stop_latch import StopLatch
from icpi_ros.ros.executor.trial import TrialExecution, stopped
from icpi_ros.ros.following.trial_ended import TrialEnded
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

Code = ExecuteMotion.Result


class MotionJob:
    """One ExecuteMotion goal."""

    def __init__(
        self,
        handle: ServerGoalHandle,
        task: Task,
        make_execution: Callable[[Callable[[int], None]], TrialExecution],
        latch: StopLatch,
        log: Any,
    ) -> None:
        """Prepare; nothing moves yet.

        Args:
            handle: of the goal.
            task: that is executed.
            make_execution: makes the execution, which calls the given function with its phase.
            latch: nothing moves while it is engaged.
            log: the node's logger.
        """
        self.handle, self._task, self._latch, self._log = handle, task, latch, log
        self._phase = ExecuteMotion.Feedback.RETREATING
        self._execution = make_execution(self._on_phase)

    def cancel(self) -> None:
        """See :class:`Job`."""
        self._execution.cancel()

    def stop(self) -> None:
        """End the motion because of the software stop; from any thread."""
        self._execution.stop(self._latch.release)

    @property
    def has_moved(self) -> bool:
        """True once a motion was handed to the arm: the job itself stops it then."""
        return self._execution.has_moved

    def beat(self) -> None:
        """Repeat the feedback, so that a client sees that the executor lives."""
        self.handle.publish_feedback(ExecuteMotion.Feedback(state=self._phase))

    def run(self) -> Any:
        """See :class:`Job`."""
        goal, log = self.handle.request, self._log
        started = time.monotonic()
        try:
            if self._latch.engaged:
                raise stopped(self._latch.release)
            theta = checked_theta(self._task, goal)
            report = self._execution.run(goal.trial_id, theta, goal.proposal)
        except TrialEnded as exc:
            log.warning(f"trial {goal.trial_id}: {exc}")
            return result_msg(exc.code, str(exc), self._execution)
        log.info(
            f"trial {goal.trial_id}: {self._task.space.describe(report.theta)}, "
            f"moved {report.motion:.2f} s, settled {report.settling:.2f} s, "
            f"took {time.monotonic() - started:.2f} s"
        )
        return result_msg(Code.NONE, "", self._execution)

    def _on_phase(self, phase: int) -> None:
        self._phase = phase
        self.beat()


def checked_theta(task: Task, goal: ExecuteMotion.Goal) -> Array:
    """Return the theta of a goal, in the task's order.

    Raises:
        TrialEnded: another task, wrong names, or values that are not allowed.
    """
    if goal.task != task.name:
        if goal.task not in TASKS:  # asked by name alone: a goal imports no code
            raise TrialEnded(Code.UNKNOWN_TASK, UnknownName("task", goal.task, TASKS).refusal)
        reason = (
            f"this graph executes task {task.name!r}, not {goal.task!r}: "
            f"start it with task:={goal.task}"
        )
        raise TrialEnded(Code.UNKNOWN_TASK, reason)
    if not goal.trial_id:
        raise TrialEnded(Code.INVALID_THETA, "trial_id is empty: give every trial its own")
    names = tuple(goal.proposal.theta_names)
    if names != task.space.names:
        raise TrialEnded(
            Code.INVALID_THETA,
            f"proposal.theta_names are {', '.join(names) or 'empty'}: "
            f"expected {', '.join(task.space.names)}",
        )
    try:
        return task.space.validate(goal.proposal.theta)
    except InvalidValue as exc:
        raise TrialEnded(Code.INVALID_THETA, exc.refusal) from exc


def result_msg(code: int, message: str, execution: TrialExecution | None = None) -> Any:
    """Return a result; ``execution`` gives what is known of the motion."""
    result = Code(error_code=code, error_msg=message)
    result.tracking_error = result.tracking_time = math.nan
    if execution is not None:
        report = execution.report
        result.theta = report.theta.tolist()
        result.decided_by = report.decided_by
        result.window_start = convert.time_msg(report.start)
        result.window_stop = convert.time_msg(report.stop)
        result.motion_duration = report.motion
        result.settling_duration = report.settling
        result.last_motion = report.tracking.motion
        result.tracking_error = report.tracking.error
        result.tracking_joint = report.tracking.joint
        result.tracking_time = report.tracking.time
        result.note = report.note
    return result
