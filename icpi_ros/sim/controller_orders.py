"""Orders to a simulated controller, its checks of them, and events of their motions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import SECOND, Array
from icpi_ros.motion.trajectory import JointTrajectory

AT_REST = 1.2e-7
"""Largest final velocity that counts as rest [rad/s]: the rounding of a single-precision number."""


class MotionState(StrEnum):
    """State of a motion that a controller was sent."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DONE = "done"
    ABORTED = "aborted"
    CANCELLED = "cancelled"
    REPLACED = "replaced"
    """By the motion that came next."""


class Tolerance(StrEnum):
    """Tolerance that a motion violated."""

    NONE = "none"
    PATH = "path"
    GOAL = "goal"


@dataclass(frozen=True)
class MotionTolerances:
    """Tolerances of one motion; an empty array or a 0 in it: not watched.

    Attributes:
        path: ``(n,)`` distance of each joint from its command under way [rad].
        goal: ``(n,)`` distance of each joint at the end [rad].
        goal_time: time after the end to get there [s]; 0 = for ever.
    """

    path: Array = field(default_factory=lambda: np.empty(0))
    goal: Array = field(default_factory=lambda: np.empty(0))
    goal_time: float = 0.0

    @property
    def asked(self) -> bool:
        """True if the end is watched."""
        return bool((self.goal > 0.0).any())

    def off_path(self, off: Array, joints: Sequence[str]) -> str:
        """Return the deviation of a joint off its path by ``off`` ``(n,)`` [rad]; empty = none."""
        if not len(self.path):
            return ""
        beyond = (self.path > 0.0) & (off > self.path)
        if not beyond.any():
            return ""
        joint = int(np.argmax(beyond))
        return f"{joints[joint]} is {off[joint]:.4f} rad off its path: {self.path[joint]:g} allowed"

    def off_goal(self, off: Array) -> bool:
        """Return whether a joint is too far off the goal, by ``off`` ``(n,)`` [rad]."""
        return bool(len(self.goal)) and bool(((self.goal > 0.0) & (off > self.goal)).any())


@dataclass(frozen=True)
class Order:
    """Trajectory as it was received.

    Attributes:
        label: name given by the sender.
        trajectory: its points.
        start_ns: its start on the arm's clock [ns]; 0 = now.
        tolerances: its tolerances; only those of a goal count.
        goal: it came as a goal of the action, not on the topic.
    """

    label: str
    trajectory: JointTrajectory
    start_ns: int = 0
    tolerances: MotionTolerances = field(default_factory=MotionTolerances)
    goal: bool = False


@dataclass(frozen=True)
class Event:
    """Event in the life of a motion.

    Attributes:
        label: of the motion.
        state: new state of the motion.
        ns: time of the event [ns]; for ``accepted`` the start of the motion.
        reason: of an end that is not ``done``; empty otherwise.
        due_ns: time of its effect [ns]: for ``accepted`` the first command that is another
            than without it, else as ``ns``.
        taken_ns: for ``accepted`` the update that took it [ns].
        violated: for ``aborted`` the tolerance that was violated, if one was.
    """

    label: str
    state: MotionState
    ns: int
    reason: str = ""
    due_ns: int = 0
    taken_ns: int = 0
    violated: Tolerance = Tolerance.NONE


def check_order(order: Order, now_ns: int) -> None:
    """Refuse the orders that ros2_control's controller refuses at once.

    Raises:
        MotionRefused: no points, times that do not increase, not at rest at the end, or all of
            it in the past.
    """
    t = order.trajectory
    if not len(t.times):
        raise empty_trajectory()
    if not np.isfinite(t.positions).all() or not np.isfinite(t.velocities).all():
        text = "a position or velocity is not finite"
        raise MotionRefused(Refusal(text, Kind.NOT_FINITE, "points"))
    if t.times[0] < 0.0 or not (np.diff(t.times) > 0.0).all():
        text = "times of a motion start at 0 or later and increase strictly"
        raise MotionRefused(Refusal(text, Kind.TIMES, "time", unit="s"))
    for joint, velocity in zip(t.joints, t.velocities[-1], strict=True):
        if abs(velocity) > AT_REST:
            text = f"{joint} ends with velocity {velocity:.3g} rad/s: it must end at rest"
            value, limit = float(velocity), (-AT_REST, AT_REST)
            raise MotionRefused(
                Refusal(text, Kind.NOT_AT_REST, "velocity", joint, value, limit, "rad/s")
            )
    if order.start_ns and order.start_ns + round(t.duration * SECOND) < now_ns:
        raise MotionRefused(Refusal("the trajectory ended in the past", Kind.TIMES, "time"))


def empty_trajectory() -> MotionRefused:
    """Return the refusal of a trajectory without points."""
    text = "the trajectory is empty: to stop, send one point at rest"
    limit = (1.0, np.inf)
    return MotionRefused(Refusal(text, Kind.FORM, "points", value=0, limit=limit))
