"""A task before anything moves: its box of motions against the limits of an arm."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import numpy as np

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import Array
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.summary import MotionSummary, summarise
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import feasibility_of

PATH_POINTS = 200
"""Points of a drawn path, equal steps in time."""
MAX_CORNERS = 64
"""Corners that are tried one by one; a box of more than six parameters has only some of them."""


@dataclass(frozen=True)
class TriedMotion:
    """One theta before it is executed.

    Attributes:
        label: place of theta in the box, such as ``corner 3`` or ``first trial``.
        theta: ``(d,)``.
        refusal: sentence of the gate; None = it passed.
        summary: peaks of the motion; None = it was refused.
        times: ``(T,)`` [s] since the start of the motion; empty = there is no motion.
        tool: ``(T, 3)`` tool point [m], frame ``base``.
        release: time at which the gripper lets go [s]; None = it holds nothing.
    """

    label: str
    theta: Array
    refusal: str | None
    summary: MotionSummary | None
    times: Array
    tool: Array
    release: float | None

    @property
    def speed(self) -> Array:
        """Tool speed ``(T,)`` [m/s]."""
        if len(self.times) < 2:
            return np.zeros(len(self.times))
        slope = np.gradient(self.tool, self.times, axis=0)
        return np.asarray(np.linalg.norm(slope, axis=1))


@dataclass(frozen=True)
class FirstSession:
    """Motions of a task's box.

    Attributes:
        motions: the first trial, the middle and the corners.
        samples: thetas spread over the box that were tried besides.
        passed: of those, as many passed the gate.
        reasons: sentence of each refusal among them, without numbers, to its count.
    """

    motions: tuple[TriedMotion, ...]
    samples: int
    passed: int
    reasons: dict[str, int]

    @property
    def share(self) -> float:
        """Share of the box that the arm can execute, 0 to 1."""
        return self.passed / self.samples

    @property
    def corners(self) -> tuple[TriedMotion, ...]:
        """The corners of the box."""
        return tuple(one for one in self.motions if one.label.startswith("corner"))


def first_session(
    task: Task, arm: Arm, samples: int, on_motion: Callable[[], None] = lambda: None
) -> FirstSession:
    """Try the motions of a task's box; nothing moves.

    Args:
        task: whose box of theta is tried.
        arm: whose limits count.
        samples: quasi-random thetas for the share of the box, a power of two.
        on_motion: called after each motion.
    """
    gate = SafetyGate(arm)
    motions = []
    for label, theta in _named_thetas(task):
        motions.append(_tried(task, arm, gate, label, theta))
        on_motion()
    why_not, reasons = feasibility_of(task, arm, gate), Counter[str]()
    for theta in _spread(task, samples):
        if (refusal := why_not(theta)) is not None:
            reasons[refusal.brief] += 1
        on_motion()
    passed = samples - reasons.total()
    return FirstSession(tuple(motions), samples, passed, dict(reasons.most_common()))


def count_of_motions(task: Task, samples: int) -> int:
    """Return the number of motions that :func:`first_session` tries."""
    return len(_named_thetas(task)) + samples


def _named_thetas(task: Task) -> list[tuple[str, Array]]:
    """Return the first theta if the task has one, the middle and the corners, with labels."""
    space = task.space
    named = [] if task.first_theta is None else [("first trial", task.first_theta)]
    named.append(("middle", 0.5 * (space.lower + space.upper)))
    sides = zip(space.lower, space.upper, strict=True)
    corners = [np.array(corner) for corner in product(*sides)]
    every = -(-len(corners) // MAX_CORNERS)
    return named + [(f"corner {n + 1}", one) for n, one in enumerate(corners[::every])]


def _spread(task: Task, samples: int) -> Array:
    from scipy.stats import qmc

    unit = qmc.Sobol(task.space.dim, rng=np.random.default_rng(0)).random(samples)
    return np.asarray(task.space.denormalise(2.0 * unit - 1.0))


def _tried(task: Task, arm: Arm, gate: SafetyGate, label: str, theta: Array) -> TriedMotion:
    times, tool, release = np.empty(0), np.empty((0, 3)), None
    try:
        motion = task.motion(theta, arm)
        times = np.linspace(0.0, motion.trajectory.duration, PATH_POINTS)
        tool, release = arm.tool_pose(motion.trajectory.sample(times)[0])[0], motion.release
        checked = gate.check(motion.trajectory, motion.start, release)
        summary = summarise(checked, gate)
    except MotionRefused as refused:
        return TriedMotion(label, theta, str(refused), None, times, tool, release)
    return TriedMotion(label, theta, None, summary, times, tool, release)
