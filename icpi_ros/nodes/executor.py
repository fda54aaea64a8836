"""Node ``executor``: serves ExecuteMotion, the only way from a theta to a moving arm."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Sequence
from typing import Any

from rclpy.action.server import ServerGoalHandle
from rclpy.clock import Clock
from rclpy.clock_type import ClockType

from icpi_msgs.action import ExecuteMotion
from icpi_ros.arms import ARMS
from icpi_ros.arms.base import Arm
from icpi_ros.errors import InvalidValue, UnknownName
from icpi_ros.nodes import arm_port, convert, diagnostics
from icpi_ros.nodes.following import Settings, TrialEnded
from icpi_ros.nodes.parameters import Spec, declare
from icpi_ros.nodes.scene_port import ScenePort
from icpi_ros.nodes.serving import OneGoalServer
from icpi_ros.nodes.spin import IcpiNode, run
from icpi_ros.nodes.topics import EXECUTE_MOTION
from icpi_ros.nodes.trial import TrialExecution
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array

Code = ExecuteMotion.Result
DEFAULT = Settings()
PARAMETERS = (
    Spec("task", "slide", "task that is executed", choices=TASKS.names()),
    Spec("arm", "", "arm that executes it; empty = the task's", choices=("", *ARMS.names())),
    Spec(
        "speed_scale",
        DEFAULT.speed_scale,
        "share of the arm's limits for slow moves",
        "",
        0.05,
        1.0,
    ),
    Spec("goal_tolerance", DEFAULT.goal_tolerance, "joint distance at the end", "rad", 0.001, 0.1),
    Spec(
        "tracking_tolerance",
        DEFAULT.tracking_tolerance,
        "joint distance underway",
        "rad",
        0.01,
        0.5,
    ),
    Spec(
        "joint_state_timeout", DEFAULT.silence, "steady time without joint states", "s", 0.05, 10.0
    ),
    Spec(
        "object_state_timeout", DEFAULT.blindness, "steady time without perception", "s", 0.05, 60.0
    ),
    Spec("reply_timeout", DEFAULT.reply, "steady time for arm and scene to answer", "s", 0.1, 60.0),
    *arm_port.PARAMETERS,
)


class MotionJob:
    """One ExecuteMotion goal."""

    def __init__(self, node: Executor, handle: ServerGoalHandle) -> None:
        """Prepare; nothing moves yet."""
        self._node, self.handle = node, handle
        self._phase = ExecuteMotion.Feedback.RETREATING
        self._execution = TrialExecution(
            node.task,
            node.arm,
            (node.port, node.scene),
            node.changed,
            node.settings,
            self._on_phase,
            node.get_logger().error,
        )

    def cancel(self) -> None:
        """See :class:`Job`."""
        self._execution.cancel()

    def beat(self) -> None:
        """Repeat the feedback, so that a client sees that the executor lives."""
        self.handle.publish_feedback(ExecuteMotion.Feedback(state=self._phase))

    def run(self) -> Any:
        """See :class:`Job`."""
        goal, log = self.handle.request, self._node.get_logger()
        started = time.monotonic()
        try:
            theta = checked_theta(self._node.task, goal)
            report = self._execution.run(goal.trial_id, theta)
        except TrialEnded as exc:
            log.warning(f"trial {goal.trial_id}: {exc}")
            return result_msg(exc.code, str(exc), self._execution)
        log.info(
            f"trial {goal.trial_id}: {self._node.task.space.describe(theta)}, "
            f"moved {report.motion:.2f} s, settled {report.settling:.2f} s, "
            f"took {time.monotonic() - started:.2f} s"
        )
        return result_msg(Code.NONE, "", self._execution)

    def _on_phase(self, phase: int) -> None:
        self._phase = phase
        self.beat()


class Executor(IcpiNode):
    """See the module."""

    def __init__(self) -> None:
        """Open the ports and serve."""
        super().__init__("executor")
        values = declare(self, PARAMETERS)
        self.task: Task = TASKS.get(values["task"])
        self.arm: Arm = ARMS.get(values["arm"] or self.task.arm)
        self.settings = Settings(
            speed_scale=values["speed_scale"],
            goal_tolerance=values["goal_tolerance"],
            tracking_tolerance=values["tracking_tolerance"],
            silence=values["joint_state_timeout"],
            blindness=values["object_state_timeout"],
            reply=values["reply_timeout"],
        )
        self.changed = threading.Condition()
        self.port = arm_port.make_port(self, self.arm, self.changed, values)
        self.scene = ScenePort(self, self.changed)
        self._job: MotionJob | None = None
        self._server = OneGoalServer(
            self, ExecuteMotion, EXECUTE_MOTION, self._make_job, result_msg
        )
        # Steady: the heartbeat must not stand still with simulated time.
        self.create_timer(0.5, self._beat, clock=Clock(clock_type=ClockType.STEADY_TIME))
        diagnostics.Diagnostics(self, self._health)

    def close(self) -> None:
        """Stop the arm if a motion is under way."""
        if not self._server.close(self.settings.stop_limit + 1.0):
            self.get_logger().error("the motion under way did not end in time")

    def _make_job(self, handle: ServerGoalHandle) -> MotionJob:
        self._job = MotionJob(self, handle)
        return self._job

    def _beat(self) -> None:
        if self._server.busy and self._job is not None:
            self._job.beat()

    def _health(self) -> diagnostics.Health:
        state = self.port.state
        if state is None or time.monotonic() - state.arrival > self.settings.silence:
            return diagnostics.Health(diagnostics.ERROR, "no joint states")
        return diagnostics.Health(diagnostics.OK, "moving" if self._server.busy else "ready")


def checked_theta(task: Task, goal: ExecuteMotion.Goal) -> Array:
    """Return the theta of a goal, in the task's order.

    Raises:
        TrialEnded: another task, wrong names, or values that are not allowed.
    """
    if goal.task != task.name:
        try:
            TASKS.get(goal.task)
            reason = (
                f"this graph executes task {task.name!r}, not {goal.task!r}: "
                f"start it with task:={goal.task}"
            )
        except UnknownName as exc:
            reason = str(exc)
        raise TrialEnded(Code.UNKNOWN_TASK, reason)
    if not goal.trial_id:
        raise TrialEnded(Code.INVALID_THETA, "trial_id is empty: give every trial its own")
    if tuple(goal.theta_names) != task.space.names:
        raise TrialEnded(
            Code.INVALID_THETA,
            f"theta_names are {', '.join(goal.theta_names) or 'empty'}: "
            f"expected {', '.join(task.space.names)}",
        )
    try:
        return task.space.validate(goal.theta)
    except InvalidValue as exc:
        raise TrialEnded(Code.INVALID_THETA, str(exc)) from exc


def result_msg(code: int, message: str, execution: TrialExecution | None = None) -> Any:
    """Return a result; ``execution`` gives what is known of the motion."""
    result = Code(error_code=code, error_msg=message)
    if execution is not None:
        report = execution.report
        result.window_start = convert.time_msg(report.start)
        result.window_stop = convert.time_msg(report.stop)
        result.motion_duration = report.motion
        result.settling_duration = report.settling
    return result


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run(Executor, argv)


if __name__ == "__main__":
    sys.exit(main())
