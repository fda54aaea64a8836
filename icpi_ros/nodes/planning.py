"""What an execution of a theta would be under the executor's rules; no ROS."""

from __future__ import annotations

from dataclasses import dataclass, replace

from icpi_ros.arms.base import Arm
from icpi_ros.errors import MotionRefused
from icpi_ros.motion.safety import CheckedTrajectory, SafetyGate
from icpi_ros.motion.step_limit import StepLimit
from icpi_ros.motion.summary import MotionSummary, summarise, tool_path
from icpi_ros.motion.trajectory import JointTrajectory, Motion, slowed
from icpi_ros.nodes.run_memory import RunMemory
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array

PATH_STEP = 0.02
"""Time between two points of the tool's path that is shown [s]."""


@dataclass(frozen=True)
class Rules:
    """How careful the executor is; fixed at its start.

    Attributes:
        approval: a person approves every motion.
        dry_run: everything but motion.
        operator_resets: a person puts the scene back and says so.
        patience: longest steady time for a person to decide [s].
        ramp_trials: executions of a run until its full speed.
        ramp_scale: share of the usual speed at a run's first execution, 0 to 1.
        rehearse: during the ramp go through a stroke slowly before the scene is put back.
        max_step: largest change of theta between executions of a run, a share of each
            parameter's range, 0 to 1.
    """

    approval: bool = False
    dry_run: bool = False
    operator_resets: bool = False
    patience: float = 600.0
    ramp_trials: int = 0
    ramp_scale: float = 0.3
    rehearse: bool = False
    max_step: float = 1.0


@dataclass(frozen=True)
class Plan:
    """What would be executed.

    Attributes:
        theta: ``(d,)`` policy parameters.
        dtheta: ``(d,)`` change from the run's last execution; None for its first.
        motion: of the task, its stroke at ``stroke_scale``.
        slow_scale: share of the usual speed of slow moves, 0 to 1.
        stroke_scale: speed of the stroke, 1 = as proposed.
        rehearsal: the stroke slowed down, or None.
        checked: the stroke as the gate let it pass.
        decided_by: who changed theta; empty = nobody.
    """

    theta: Array
    dtheta: Array | None
    motion: Motion
    slow_scale: float
    stroke_scale: float
    rehearsal: JointTrajectory | None
    checked: CheckedTrajectory
    decided_by: str = ""

    def changed_by(self, person: str) -> Plan:
        """Return the same plan, theta being this person's."""
        return replace(self, decided_by=person)


class Planner:
    """Plans the motions of one task and arm under the rules; nothing moves here."""

    def __init__(
        self, task: Task, arm: Arm, gate: SafetyGate, rules: Rules, memory: RunMemory
    ) -> None:
        """Keep the parts."""
        self._task, self._arm, self._gate = task, arm, gate
        self._rules, self._memory = rules, memory
        self._steps = StepLimit(task.space, rules.max_step)

    def plan(self, theta: Array, run_id: str) -> Plan:
        """Return the checked plan of an execution of theta ``(d,)`` in a run.

        Raises:
            MotionRefused: the step is too large, the stroke is out of reach or breaks a limit.
        """
        executed = self._memory.executed(run_id)
        if reason := self._steps.refuse(theta, executed):
            raise MotionRefused(reason)
        motion = self._task.motion(theta, self._arm)
        ramp = self._memory.ramp(run_id, self._rules.ramp_scale, self._rules.ramp_trials)
        scale = ramp if self._task.scalable else 1.0
        stroke = slowed(motion.stroke, scale)
        # The whole stroke is checked before anything moves, and again at its start.
        checked = self._gate.check(stroke, motion.start)
        return Plan(
            theta=theta,
            dtheta=theta - executed[-1] if executed else None,
            motion=Motion(motion.ready, stroke),
            slow_scale=ramp,
            stroke_scale=scale,
            rehearsal=self._rehearsal(motion, ramp) if ramp < scale else None,
            checked=checked,
        )

    def shown(self, plan: Plan) -> tuple[MotionSummary, Array]:
        """Return what a person is shown of a stroke: its peaks and tool path ``(T, 3)`` [m].

        Apart from :meth:`plan`, since it takes as long again and only a person needs it.
        """
        path = tool_path(plan.motion.stroke, self._arm, PATH_STEP)
        return summarise(plan.checked, self._gate), path

    def _rehearsal(self, motion: Motion, scale: float) -> JointTrajectory | None:
        if not self._rules.rehearse:
            return None
        slow = slowed(motion.stroke, scale)
        self._gate.check(slow, motion.start)
        return slow
