"""Survey of the motions of a task that an arm can do: a grid over theta, checked by the gate."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import Array
from icpi_ros.motion.extremes import extremes
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

OUT_OF_REACH = "out of reach"


@dataclass(frozen=True)
class Reach:
    """Thetas of a grid that an arm can execute.

    Attributes:
        task, arm: names.
        points: of the grid along each parameter.
        thetas: ``(N, d)`` the grid, last parameter fastest.
        reasons: of each refusal, in few words; "" = the gate passed it.
        refusals: the gate's sentences; "" = passed.
        paths: ``(K, 3)`` tool point along each motion [m]; empty where there is none.
        loads: share of its limit that the joint which comes nearest to it reaches, of speed or
            acceleration; NaN where there is no motion.
    """

    task: str
    arm: str
    points: int
    thetas: Array
    reasons: tuple[str, ...]
    refusals: tuple[str, ...]
    paths: tuple[Array, ...]
    loads: tuple[float, ...]

    @property
    def possible(self) -> int:
        """Number of thetas that the arm can do."""
        return self.reasons.count("")

    @property
    def shares(self) -> dict[str, float]:
        """Reason to its share of the grid, the most common first; passed ones left out."""
        counted = Counter(reason for reason in self.reasons if reason)
        return {reason: count / len(self.reasons) for reason, count in counted.most_common()}


def reach(task: Task, arm: Arm, points: int, on_motion: Callable[[], None] = lambda: None) -> Reach:
    """Try the motion of every theta of a grid.

    Args:
        task: whose theta box is covered, borders included.
        arm: to be surveyed.
        points: along each parameter, at least 2.
        on_motion: called after each.
    """
    axes = [np.linspace(p.lower, p.upper, points) for p in task.space.parameters]
    thetas = np.array(list(product(*axes)))
    gate, refusals, paths = SafetyGate(arm), list[Refusal | None](), list[Array]()
    loads = list[float]()
    for theta in thetas:
        path, load, refusal = _tried(task, arm, gate, theta)
        paths.append(path)
        loads.append(load)
        refusals.append(refusal)
        on_motion()
    reasons = tuple(reason_of(refusal) for refusal in refusals)
    texts = tuple(str(refusal or "") for refusal in refusals)
    return Reach(task.name, arm.name, points, thetas, reasons, texts, tuple(paths), tuple(loads))


def _tried(
    task: Task, arm: Arm, gate: SafetyGate, theta: Array
) -> tuple[Array, float, Refusal | None]:
    """Return the tool's path [m], the load, and the refusal; None if it is not refused."""
    path, load = np.empty((0, 3)), float("nan")
    try:
        motion = task.motion(theta, arm)
        if motion.ready.shape != arm.home.shape:
            what = f"motion of {task.name} is made for another arm"
            return path, load, Refusal(f"{what}: {arm.name}", Kind.WRONG_JOINTS, what)
        if not np.isfinite(motion.ready).all():
            text = f"the pose before the motion leaves the reach of {arm.name}"
            return path, load, Refusal(text, Kind.OUT_OF_REACH, "pose before the motion")
        path, _ = arm.tool_pose(motion.trajectory.positions)
        load = _load(motion.trajectory, arm)
        gate.check(motion.trajectory, motion.start, motion.release)
    except MotionRefused as refused:
        return path, load, refused.refusal
    return path, load, None


def _load(motion: JointTrajectory, arm: Arm) -> float:
    """Return the largest share of a limit of speed or acceleration that a joint reaches."""
    _, qd, qdd = extremes(motion)
    speed, acceleration = np.abs(qd) / arm.limits.velocity, np.abs(qdd) / arm.limits.acceleration
    return float(max(speed.max(), acceleration.max()))


def reason_of(refusal: Refusal | None) -> str:
    """Return a refusal without its numbers: the exceeded quantity and the joint."""
    if refusal is None:
        return ""
    return OUT_OF_REACH if refusal.kind is Kind.OUT_OF_REACH else refusal.brief
