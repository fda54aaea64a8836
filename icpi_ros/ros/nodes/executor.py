"""Node ``executor``: serves ExecuteMotion, the only way from a theta to a moving arm."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Sequence
from typing import Any

from rclpy.action.server import ServerGoalHandle
from rclpy.clock import Clock
from rclpy.clock_type import ClockType

from icpi_msgs.action import ExecuteMotion
from icpi_ros.motion.limits_file import gate_and_file
from icpi_ros.robots import find_arm
from icpi_ros.robots.arm_text import limits_text, origin_text, workspace_text
from icpi_ros.robots.base import Arm, prefixed
from icpi_ros.ros.arm_ports import arm_watch
from icpi_ros.ros.arm_ports.auto_port import make_port
from icpi_ros.ros.arm_ports.controller_inquiry import ControllerInquiry
from icpi_ros.ros.arm_ports.controller_watch import ControllerWatch
from icpi_ros.ros.base import diagnostics
from icpi_ros.ros.base.operator_port import OperatorPort
from icpi_ros.ros.base.parameters import declare
from icpi_ros.ros.base.serving import ActionServers, OneGoalServer
from icpi_ros.ros.base.spin import IcpiNode, run
from icpi_ros.ros.base.stop_latch import StopLatch
from icpi_ros.ros.base.topics import EXECUTE_MOTION
from icpi_ros.ros.bringup.checklist import DRY_RUN, TASK
from icpi_ros.ros.executor.approval import Approval
from icpi_ros.ros.executor.gripping import gripper_of
from icpi_ros.ros.executor.motion_job import MotionJob, result_msg
from icpi_ros.ros.executor.outside_stop import OutsideStop
from icpi_ros.ros.executor.readiness import Readiness, ReadinessParts
from icpi_ros.ros.executor.request_msg import InForce
from icpi_ros.ros.executor.scene_port import ScenePort
from icpi_ros.ros.executor.trial import Guard, TrialExecution
from icpi_ros.ros.following.following import MotionFollower
from icpi_ros.ros.following.memory import LastCommand, RunMemory
from icpi_ros.ros.following.planning import Planner
from icpi_ros.ros.following.prepared_stops import Leads
from icpi_ros.ros.following.rules import ExecutorRules, ExecutorSettings, loosened
from icpi_ros.settings.setting import made_of
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

SWITCH = 0.001
"""Longest time that preparing stops keeps the thread waiting that receives a request [s]."""


class Executor(IcpiNode):
    """Node that alone moves the arm."""

    def __init__(self) -> None:
        super().__init__("executor")
        values = declare(self, "executor")
        self.task: Task = TASKS.get(values["task"])
        self.arm: Arm = prefixed(find_arm(values["arm"] or self.task.arm), values["joint_prefix"])
        self.settings = made_of(ExecutorSettings, values, fixed=("stop_limit",))
        self.changed = threading.Condition()
        self.port = make_port(self, self.arm, self.changed, values)
        self.scene = ScenePort(self, self.changed)
        self.gripper = gripper_of(self, self.task, self.arm, values)
        self.gate, limits_file = gate_and_file(self.arm, values["limits"])
        self.leads = Leads(values["controller_rate"])
        self._last = LastCommand()
        limits = self._limits_in_force(str(limits_file) if limits_file else "")
        in_force = InForce(self._limits_lines(limits), loosened(values))
        self.guard = self._make_guard(
            made_of(ExecutorRules, values), self._make_inquiry(values), in_force
        )
        self._job: MotionJob | None = None
        self._server = OneGoalServer(
            self, ExecuteMotion, EXECUTE_MOTION, self._make_job, result_msg
        )
        self._loosened = self._report_loosened(in_force.loosened, bool(values["simulated"]))
        log = self.get_logger()
        for line in in_force.limits:
            log.info(line)
        self._outside = OutsideStop(self.port, self.gate, self.changed, self.settings, log)
        self.latch = StopLatch(self, self._stop, lambda: self._server.busy or self._outside.busy)
        limits = f"{limits}; {origin_text(self.arm)}"
        self._readiness = self._make_readiness(values, limits, in_force.loosened)
        # Steady: the heartbeat must not stand still with simulated time.
        self.create_timer(0.5, self._beat, clock=Clock(clock_type=ClockType.STEADY_TIME))
        diagnostics.Diagnostics(self, self._health)

    def close(self) -> None:
        """Stop the arm if a motion is under way."""
        if not self._server.close(self.settings.stop_limit + 1.0):
            self.get_logger().error("the motion under way did not end in time")
        self._outside.close()

    def _make_inquiry(
        self, values: dict[str, Any], log: Callable[[str], object] | None = None
    ) -> ControllerInquiry:
        refuse = values["controller_check"] == "refuse"
        advise = not values["simulated"]  # that arm takes no harm
        name, joints = values["controller_name"], self.arm.joints
        return ControllerInquiry(self, name, joints, refuse, advise, log, self._notify)

    def _notify(self) -> None:
        """Wake who waits for news."""
        with self.changed:
            self.changed.notify_all()

    def _limits_in_force(self, file: str) -> str:
        tightened = f"tightened by {file}" if file else "no limits file"
        return f"{self.arm.name}: {limits_text(self.gate.limits)}; {tightened}"

    def _limits_lines(self, limits: str) -> list[str]:
        """Return arm and limits in force, for the log and for who approves a motion."""
        name = self.arm.name
        return [
            f"arm {name}: {origin_text(self.arm)}",
            f"limits of {limits}",
            f"workspace of {name}: {workspace_text(self.gate.limits)}",
        ]

    def _make_readiness(
        self, values: dict[str, Any], limits: str, loosened: Sequence[str]
    ) -> Readiness:
        rules, simulated = self.guard.rules, bool(values["simulated"])
        # Quiet, and not the trials' own: they ask for themselves, and log what they are warned of.
        watch = ControllerWatch(
            self._make_inquiry(values, log=lambda line: None),
            self.port,
            values["controller_name"],
            values["controller_check"] == "refuse",
            rules.dry_run,
            simulated,
        )
        return Readiness(
            ReadinessParts(
                task=self.task,
                arm=self.arm,
                gate=self.gate,
                rules=rules,
                settings=self.settings,
                port=self.port,
                scene=self.scene,
                servers=self._servers,
                operator=self._operator,
                latch=self.latch,
                controller=watch,
                gripper=self.gripper,
                lets_go=self.guard.planner.lets_go,
                limits=limits,
                loosened=loosened,
                simulated=simulated,
                namespace=self.get_namespace(),
            )
        )

    def _make_guard(
        self, rules: ExecutorRules, controller: ControllerInquiry, in_force: InForce
    ) -> Guard:
        memory = RunMemory()
        planner = Planner(self.task, self.arm, self.gate, rules, memory)
        self._operator = OperatorPort(self, self.changed, self.task.space.validate)
        log = self.get_logger().info
        approval = Approval(self.task, planner, self._operator, rules, log, in_force)
        self._servers = ActionServers(self, EXECUTE_MOTION)
        servers = self._servers
        return Guard(rules, memory, planner, approval, controller, servers, self.gripper)

    def _report_loosened(self, lines: Sequence[str], simulated: bool) -> str:
        """Log what is off or loosened; return the text for the diagnostics, empty = none.

        A simulated arm takes no harm: one line of information is enough.
        """
        text, log = "; ".join(lines), self.get_logger()
        if simulated:
            if text:
                log.info(f"simulated: {text}")
            return ""
        for line in lines:
            log.warning(line)
        return text

    def _stop(self) -> str:
        if self._job is not None and self._server.busy:
            self._job.stop()
            if self._job.has_moved:
                return ""
        return self._outside.stop()

    def _make_job(self, handle: ServerGoalHandle) -> MotionJob:
        def execution(on_phase: Callable[[int], None]) -> TrialExecution:
            follower = MotionFollower(
                self.arm,
                self.gate,
                self.port,
                self.changed,
                self.settings,
                self.leads,
                self._last,
                self.gripper,
            )
            problem = self.get_logger().error
            return TrialExecution(
                self.task, follower, self.scene, self.guard, self.settings, on_phase, problem
            )

        self._job = MotionJob(handle, self.task, execution, self.latch, self.get_logger())
        return self._job

    def _beat(self) -> None:
        if not self._server.busy:
            self._readiness.look()
        elif self._job is not None:
            self._job.beat()

    def _health(self) -> diagnostics.Health:
        level, message = self._state()
        facts = {TASK: self.task.name, DRY_RUN: str(self.guard.rules.dry_run).lower()}
        return diagnostics.Health(level, message, facts, self._readiness.lines(self._server.busy))

    def _state(self) -> tuple[bytes, str]:
        if trouble := arm_watch.trouble(
            self.port, self.settings.joint_state_timeout, self.settings.joint_state_timeout
        ):
            return diagnostics.ERROR, trouble
        if doubt := self._servers.doubt:
            return diagnostics.ERROR, doubt
        if self.latch.engaged:
            return diagnostics.WARN, f"software stop: {self.latch.release}"
        if self._operator.waiting:
            return diagnostics.WARN, "waiting for a person: icpi approve"
        state = "moving" if self._server.busy else "ready"
        if self._loosened:
            return diagnostics.WARN, f"{state}, but {self._loosened}"
        return diagnostics.OK, state


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    sys.setswitchinterval(SWITCH)
    return run(Executor, argv)


if __name__ == "__main__":
    sys.exit(main())
