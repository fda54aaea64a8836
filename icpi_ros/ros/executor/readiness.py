"""The executor's lines of the checklist: each fact that it knows anyway, with what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import Array
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.ros.arm_ports import arm_watch
from icpi_ros.ros.arm_ports.arm_port import ArmPort
from icpi_ros.ros.arm_ports.controller_watch import ControllerWatch
from icpi_ros.ros.arm_ports.gripper_port import GripperPort
from icpi_ros.ros.base.diagnostics import Rate
from icpi_ros.ros.base.operator_port import OperatorPort
from icpi_ros.ros.base.serving import ActionServers
from icpi_ros.ros.base.stop_latch import StopLatch
from icpi_ros.ros.bringup.checklist import Line, State, in_namespace
from icpi_ros.ros.executor.gripping import SET_IT
from icpi_ros.ros.executor.scene_port import ScenePort
from icpi_ros.ros.following.rules import ExecutorRules, ExecutorSettings
from icpi_ros.tasks.base import Task

RECOMMENDED_RATE = 50.0
"""Joint states per second below which supervision is coarse [Hz]."""
STANDING = 0.1
"""Duration of the motion on the spot with which the gate is asked about a pose [s]."""
DRIVER = "its joint_states must come in the graph's namespace"
NO_RESET = "no node serves reset_scene, which puts it back"
SEE_IT = "see the line sensor; put the object in sight"


@dataclass(frozen=True)
class ReadinessParts:
    """Parts of the executor that the lines are read from, and what does not change while it runs.

    Attributes:
        limits: the limits in force and the file that tightened them, one line.
        loosened: a line for each protection that is off or looser than by default.
        lets_go: the task lets go of something in its motion.
        simulated: the arm is a simulated one.
        namespace: of the node, absolute.
    """

    task: Task
    arm: Arm
    gate: SafetyGate
    rules: ExecutorRules
    settings: ExecutorSettings
    port: ArmPort
    scene: ScenePort
    servers: ActionServers
    operator: OperatorPort
    latch: StopLatch
    controller: ControllerWatch
    gripper: GripperPort | None
    lets_go: bool
    limits: str
    loosened: Sequence[str]
    simulated: bool
    namespace: str


class Readiness:
    """Maker of the lines; used by the thread of the node's callbacks alone."""

    def __init__(self, parts: ReadinessParts) -> None:
        self._parts, self._rate = parts, Rate()

    def look(self) -> None:
        """Ask the controller; only while nothing moves."""
        self._parts.controller.look()

    def lines(self, busy: bool) -> tuple[Line, ...]:
        """Return all lines; ``busy``: a trial is under way."""
        return (
            self._mode(),
            Line("limits", State.OK, self._parts.limits),
            self._protections(),
            self._alone(),
            self._joint_states(),
            self._parts.controller.line,
            self._gripper(),
            self._object(busy),
            self._gate(busy),
            self._stop(),
            self._person(),
        )

    def _mode(self) -> Line:
        if self._parts.rules.dry_run:
            return Line(
                "mode", State.WARN, "DRY RUN: all checks are made, nothing is sent to the arm"
            )
        where = "simulated arm" if self._parts.simulated else "motions MOVE THE ARM"
        approval = "on" if self._parts.rules.approval else "off"
        return Line("mode", State.OK, f"{where}; approval by a person is {approval}")

    def _protections(self) -> Line:
        text = "; ".join(self._parts.loosened)
        if not text:
            return Line("protections", State.OK, "none is off or looser than by default")
        return Line("protections", State.OK if self._parts.simulated else State.WARN, text)

    def _alone(self) -> Line:
        if doubt := self._parts.servers.doubt:
            return Line("alone", State.FAILED, doubt)
        return Line("alone", State.OK, "no other node executes motions")

    def _joint_states(self) -> Line:
        port, limit = self._parts.port, self._parts.settings.joint_state_timeout
        rate = self._rate.take(port.received)
        if trouble := arm_watch.trouble(port, limit, limit):
            never = port.state is None and not port.doubt
            remedy = DRIVER if port.state is None else ""
            state = State.WAITING if never else State.FAILED
            return Line("joint states", state, trouble, remedy)
        text = f"{rate:.0f} Hz, {len(self._parts.arm.joints)} joints"
        if rate < RECOMMENDED_RATE and not self._parts.simulated:
            slow = f"at least {RECOMMENDED_RATE:g} Hz are recommended"
            return Line("joint states", State.WARN, text, slow)
        return Line("joint states", State.OK, text)

    def _gripper(self) -> Line:
        gripper = self._parts.gripper
        if not self._parts.lets_go:
            return Line("gripper", State.OK, "the task lets go of nothing")
        if gripper is not None and not (missing := gripper.missing):
            latency = f"gripper_latency {self._parts.settings.gripper_latency:g} s"
            return Line("gripper", State.OK, f"{gripper.name} opens it, {latency}")
        why = missing if gripper is not None else "the task lets go, and nothing opens its gripper"
        state = State.WARN if self._parts.rules.dry_run else State.WAITING
        return Line("gripper", state, why, SET_IT if gripper is None else "")

    def _object(self, busy: bool) -> Line:
        seen, limit = self._parts.scene.seen, self._parts.settings.object_state_timeout
        body = self._parts.task.object_body
        if seen is None:
            return Line("object", State.WAITING, f"the {body} was not seen yet", SEE_IT)
        if seen.age > limit:
            unseen = f"the {body} was not seen for {limit:g} s"
            return Line("object", State.FAILED, unseen, SEE_IT)
        where = f"the {body} is at {_place(seen.position)}"
        if busy:
            return Line("object", State.OK, f"{where}, a trial is under way")
        off = self._parts.task.misplaced(seen.position)
        if not self._parts.rules.operator_resets and not self._parts.scene.can_reset:
            return Line("object", State.WAITING, f"{off or where}; {NO_RESET}", "scene:=operator")
        if not off:
            return Line("object", State.OK, f"{where}, in its place")
        if self._parts.scene.can_reset:
            return Line("object", State.OK, f"{off}; the service reset_scene puts it back")
        back = f"{self._parts.task.how_to_reset}; where it is there, check the calibration"
        return Line("object", State.WAITING, off, back)

    def _gate(self, busy: bool) -> Line:
        state = self._parts.port.state
        if state is None:
            return Line("gate", State.WAITING, "the arm's pose is not known yet")
        if busy:
            return Line("gate", State.OK, "checks every motion, a trial is under way")
        try:
            self._parts.gate.check(_standing(self._parts.arm, state.q), state.q)
        except MotionRefused as exc:
            by_hand = "no motion may begin here: move the arm with its own controls"
            return Line("gate", State.FAILED, f"the arm's pose is refused: {exc}", by_hand)
        return Line("gate", State.OK, "the arm's pose is inside all limits and clear of itself")

    def _stop(self) -> Line:
        if self._parts.latch.engaged:
            reset = in_namespace("icpi stop --reset", self._parts.namespace)
            return Line("stop", State.FAILED, "the software stop is latched", reset)
        return Line("stop", State.OK, "the software stop is released")

    def _person(self) -> Line:
        approve = in_namespace("icpi approve", self._parts.namespace)
        if self._parts.operator.waiting:
            return Line("person", State.WAITING, "a question waits for a person", approve)
        return Line("person", State.OK, "nothing waits for a person")


def _place(position: Array) -> str:
    x, y, z = position
    return f"x = {x:.3f} m, y = {y:.3f} m, z = {z:.3f} m"


def _standing(arm: Arm, q: Array) -> JointTrajectory:
    """Return a motion that stays at ``q`` ``(n,)`` [rad]."""
    still = np.zeros((2, len(q)))
    return JointTrajectory(arm.joints, np.array([0.0, STANDING]), np.array([q, q]), still, still)
