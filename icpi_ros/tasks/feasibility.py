"""Feasibility: the thetas that an arm can execute, checked before one is proposed to it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.bisection import last_passing
from icpi_ros.core.errors import MotionRefused, Refusal
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import MOVED_BACK, Array, Proposal, Trial
from icpi_ros.motion.release import too_soon
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.step_limit import StepLimit
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

HALVINGS = 10
"""Bisections of the way back: it is found to this power of two of its length."""
MAX_SAMPLES = 200
"""Most samples of a first attempt."""

FeasibilityCheck = Callable[[Array], Refusal | None]
"""Function from a theta ``(d,)`` to the refusal of its execution; None = it can be executed."""


def anything(theta: Array) -> Refusal | None:
    """Return None: everything inside the bounds can be executed, as in a rollout."""
    return None


def feasibility_of(
    task: Task, arm: Arm, gate: SafetyGate, latency: float = 0.0
) -> FeasibilityCheck:
    """Return the check of whether the gate lets the motion of a theta pass.

    Args:
        task: whose motions are meant.
        arm: that carries them out.
        gate: of the arm.
        latency: time that its gripper needs to let go [s].
    """

    def why_not(theta: Array) -> Refusal | None:
        try:
            motion = task.motion(theta, arm)
            gate.check(motion.trajectory, motion.start, motion.release)
        except MotionRefused as exc:
            return exc.refusal
        return too_soon(motion.release, latency)

    return why_not


def simulated_feasibility(task: Task, arm: Arm) -> FeasibilityCheck:
    """Return the check of whether a simulated arm can execute a theta.

    The arm that a task is made for can execute all of them, as a rule; every other one is asked
    its gate.
    """
    able = task.within_limits and arm.name == task.arm
    return anything if able else feasibility_of(task, arm, SafetyGate(arm))


def moved_back(
    theta: Array, executed: Sequence[Array], why_not: FeasibilityCheck
) -> tuple[Array, Refusal | None]:
    """Return theta or, if it cannot be executed, the last one that can on the way back.

    The way is straight to the nearest executed theta that can still be executed; along it theta
    is taken to become possible once.  If there is none, theta comes back as it is: the executor
    refuses it with the same reason.

    Args:
        theta: ``(d,)``.
        executed: thetas of the run; other limits may hold by now.
        why_not: check of a theta.

    Returns:
        The theta, and the reason of its move (None = it was not moved).
    """
    reason = why_not(theta)
    if not reason or not executed:
        return theta, None
    span = np.ptp(np.stack([theta, *executed]), axis=0)
    scale = np.where(span > 0.0, span, 1.0)
    by_distance = sorted(executed, key=lambda other: float(np.linalg.norm((other - theta) / scale)))
    nearest = next((other for other in by_distance if not why_not(other)), None)
    if nearest is None:
        return theta, None
    way = theta - nearest
    share = last_passing(lambda share: not why_not(nearest + share * way), HALVINGS)
    return nearest + share * way, reason


@dataclass(frozen=True)
class Confined:
    """A theta as it may be executed.

    Attributes:
        theta: ``(d,)`` inside bounds and step limit, and possible wherever that was found.
        moved: True if it is not what was asked for.
        reason: of the move, one line with all reasons; empty = it was not moved.
        refusals: the same in fields, where theta was confined now.
    """

    theta: Array
    moved: bool
    reason: str
    refusals: tuple[Refusal, ...] = ()

    def trial(self, number: int, proposal: Proposal, best_cost: float) -> Trial:
        """Return the trial that executes it, with the reason in its record.

        Args:
            number: of the trial.
            proposal: that was confined.
            best_cost: lowest cost of the run so far [m].
        """
        note = f"moved back: {self.reason}" if self.reason else ""
        if self.moved:  # the prediction was for another theta
            details = {**proposal.details, MOVED_BACK: self.reason}
            proposal = replace(
                proposal, predicted_cost=math.nan, predicted_std=math.nan, details=details
            )
        return Trial(number, self.theta, proposal, self.moved, best_cost=best_cost, note=note)


@dataclass(frozen=True)
class Confinement:
    """Confinement of proposals to what may be executed.

    Attributes:
        steps: limit on the change of theta; its space bounds theta.
        why_not: check of what the arm can execute.
    """

    steps: StepLimit
    why_not: FeasibilityCheck = anything

    def of(self, theta: Array, executed: Sequence[Array]) -> Confined:
        """Confine a theta ``(d,)`` to bounds, then to the step limit, then to what is possible.

        Args:
            theta: as an improver proposed it.
            executed: thetas of the run.

        Raises:
            InvalidValue: theta has the wrong length or is not finite.
        """
        space = self.steps.space
        asked = space.as_vector(theta)
        inside, _ = space.project(asked)

        def why_not(tried: Array) -> Refusal | None:
            return self.steps.refuse(tried, executed) or self.why_not(tried)

        near = self.steps.nearest_allowed(inside, executed)
        found, impossible = moved_back(near, executed, why_not)
        too_far = self.steps.refuse(inside, executed)
        reasons = tuple(filter(None, (*space.outside(asked), too_far, impossible)))
        text = "; ".join(map(str, reasons))
        return Confined(found, not np.array_equal(found, asked), text, reasons)


def first_possible(
    space: ParameterSpace, rng: np.random.Generator, why_not: FeasibilityCheck
) -> Array:
    """Return the first uniform sample that can be executed; the first of all if none can."""
    first = theta = space.sample(rng)
    for _ in range(MAX_SAMPLES):
        if not why_not(theta):
            return theta
        theta = space.sample(rng)
    return first
