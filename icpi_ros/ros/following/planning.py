"""Plans: the motions of an execution of a theta under the executor's rules; no ROS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import Array
from icpi_ros.motion.primitives import SAME_POSE, slow_move
from icpi_ros.motion.release import declared, too_soon
from icpi_ros.motion.safety import CheckedTrajectory, SafetyGate
from icpi_ros.motion.step_limit import StepLimit
from icpi_ros.motion.summary import MotionSummary, summarise, tool_path
from icpi_ros.motion.trajectory import JointTrajectory, Motion, slowed
from icpi_ros.robots.base import Arm
from icpi_ros.ros.following.memory import NEAR, RunMemory
from icpi_ros.ros.following.rules import ExecutorRules
from icpi_ros.tasks.base import Task

PATH_STEP = 0.02
"""Time between two points of the tool's path that is shown [s], longer in a slow motion."""
PATH_POINTS = 200
"""About so many points of a slow motion's path are shown at most."""
RETREAT, APPROACH, REHEARSAL, STROKE = "retreat", "approach", "rehearsal", "stroke"
"""Names of motions: in labels, reasons, and what a person is shown."""


@dataclass(frozen=True)
class ShownMotion:
    """One motion as a person is shown it: its name, its peaks, its tool's path ``(T, 3)`` [m]."""

    label: str
    summary: MotionSummary
    path: Array


@dataclass(frozen=True)
class MotionPlan:
    """Motions of one execution, checked.

    Attributes:
        theta: ``(d,)`` policy parameters.
        dtheta: ``(d,)`` change from the run's last execution; None for its first.
        motion: of the task, its strike at ``stroke_scale``.
        slow_scale: share of the usual speed of slow moves, 0 to 1.
        stroke_scale: speed of the strike, 1 = as proposed.
        rehearsal: the strike slowed down, or None.
        checked: the strike as the gate let it pass.
        decided_by: person who changed theta; empty = it is as proposed.
        step_bounds: lower and upper bounds ``(d,)`` of theta by the step limit; None = no step
            is limited.
        begin: ``(n,)`` [rad] where the first motion begins as a person was shown it; None =
            no person was.
        shown: all motions in their order, the strike last, if a person is shown them.
    """

    theta: Array
    dtheta: Array | None
    motion: Motion
    slow_scale: float
    stroke_scale: float
    rehearsal: JointTrajectory | None
    checked: CheckedTrajectory
    decided_by: str = ""
    step_bounds: tuple[Array, Array] | None = None
    begin: Array | None = None
    shown: tuple[ShownMotion, ...] = ()

    def starts(self, pose: Array) -> Array | None:
        """Return ``pose`` ``(n,)`` [rad], from which a slow move was shown; None if none was."""
        return None if self.begin is None else pose

    def changed_by(self, person: str) -> MotionPlan:
        """Return the same plan, theta being this person's."""
        return replace(self, decided_by=person)


class Planner:
    """Planner of the motions of one task and arm under the rules; nothing moves here."""

    def __init__(
        self, task: Task, arm: Arm, gate: SafetyGate, rules: ExecutorRules, memory: RunMemory
    ) -> None:
        self._task, self._arm, self._gate = task, arm, gate
        self._rules, self._memory = rules, memory
        self._steps = StepLimit(task.space, rules.max_step)
        self.lets_go = task.lets_go(arm)
        """True if the task lets go of something in its motion."""

    def plan(self, theta: Array, run_id: str) -> MotionPlan:
        """Return the checked plan of an execution of theta ``(d,)`` in a run.

        Raises:
            MotionRefused: the step is too large, the strike is out of reach, breaks a limit, or
                lets go as it may not.
        """
        executed = self._memory.executed(run_id)
        if refusal := self._steps.refuse(theta, executed):
            raise MotionRefused(refusal)
        motion = self._task.motion(theta, self._arm)
        ramp = self._memory.ramp(run_id, self._rules.ramp_scale, self._rules.ramp_trials)
        scale = ramp if self._task.scalable else 1.0
        stroke = motion.slowed(scale)
        # The whole strike is checked before anything moves, and again at its start.
        checked = self._gate.check(stroke.trajectory, motion.start, stroke.release)
        latency = self._rules.gripper_latency
        if refusal := declared(stroke.release, self.lets_go) or too_soon(stroke.release, latency):
            raise MotionRefused(refusal)
        return MotionPlan(
            theta=theta,
            dtheta=theta - executed[-1] if executed else None,
            motion=stroke,
            slow_scale=ramp,
            stroke_scale=scale,
            rehearsal=self._rehearsal(motion, ramp) if ramp < scale else None,
            checked=checked,
            step_bounds=self._steps.allowed(theta, executed),
        )

    def shown(self, plan: MotionPlan, begin: Array) -> MotionPlan:
        """Return the plan with all its motions as a person is shown them.

        Apart from :meth:`plan`, since it takes longer and only a person needs it.

        Args:
            plan: what would be executed.
            begin: ``(n,)`` [rad] where the arm would begin.

        Raises:
            MotionRefused: a slow motion breaks a limit; the strike was checked before.
        """
        motions = (*self._slow_motions(plan, begin), (STROKE, plan.checked))
        shown = tuple(self._as_shown(label, checked) for label, checked in motions)
        return replace(plan, begin=begin, shown=shown)

    def moved(self, plan: MotionPlan, begin: Array) -> Refusal | None:
        """Return why an arm at ``begin`` ``(n,)`` [rad] would move otherwise than shown."""
        return None if plan.begin is None else elsewhere(self._arm.joints, begin, plan.begin)

    def _slow_motions(
        self, plan: MotionPlan, begin: Array
    ) -> Iterator[tuple[str, CheckedTrajectory]]:
        """Yield the motions before the strike, each from where the one before ends."""
        ready, start = plan.motion.ready, plan.motion.start
        yield from self._slow_move(RETREAT, begin, ready, plan.slow_scale)
        if plan.rehearsal is not None:
            yield from self._slow_move(APPROACH, ready, start, plan.slow_scale)
            yield REHEARSAL, self._gate.check(plan.rehearsal, start)
            end = plan.rehearsal.positions[-1]
            yield from self._slow_move(RETREAT, end, ready, plan.slow_scale)
        yield from self._slow_move(APPROACH, ready, start, plan.slow_scale)

    def _slow_move(
        self, label: str, begin: Array, goal: Array, slower: float
    ) -> Iterator[tuple[str, CheckedTrajectory]]:
        if np.abs(goal - begin).max() <= SAME_POSE:
            return
        move = slow_move(self._arm, begin, goal, self._rules.speed_scale * slower)
        try:
            yield label, self._gate.check(move, begin)
        except MotionRefused as exc:
            raise MotionRefused(replace(exc.refusal, text=f"{label}: {exc}")) from exc

    def _as_shown(self, label: str, checked: CheckedTrajectory) -> ShownMotion:
        motion = checked.trajectory
        step = PATH_STEP if label == STROKE else max(PATH_STEP, motion.duration / PATH_POINTS)
        path = tool_path(motion, self._arm, step)
        return ShownMotion(label, summarise(checked, self._gate), path)

    def _rehearsal(self, motion: Motion, scale: float) -> JointTrajectory | None:
        if not self._rules.rehearse:
            return None
        slow = slowed(motion.trajectory, scale)
        self._gate.check(slow, motion.start)
        return slow


def elsewhere(joints: Sequence[str], begin: Array, shown: Array) -> Refusal | None:
    """Return why a slow move is another than the one that was shown; None = it is that one.

    Args:
        joints: names, ``n`` of them.
        begin: ``(n,)`` [rad] where it would begin.
        shown: ``(n,)`` [rad] where the one that was shown begins.
    """
    off = np.abs(begin - shown)
    if off.max() <= NEAR:
        return None
    i = int(np.argmax(off))
    joint, value, limit = joints[i], float(off[i]), (0.0, NEAR)
    text = (
        f"the arm is not where this motion was shown from: {joint} is {value:.4f} rad off, "
        f"allowed {NEAR:g} rad"
    )
    return Refusal(text, Kind.START, "distance from the start", joint, value, limit, "rad")
