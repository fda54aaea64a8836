"""Stops that carry the path under way in front, so that a controller cannot jerk on them.

joint_trajectory_controller *joins* a trajectory whose first point is still to come, with a step
in acceleration or even a step back; one that has begun at its first update it simply *samples*.
So a stop begins in the past, on the path that is commanded anyway, and turns into braking later.
Until then it commands what is commanded without it: when it arrives does not matter, as long as
that is before the braking begins.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import Array
from icpi_ros.motion.safety import CheckedTrajectory, SafetyGate
from icpi_ros.motion.stop import controlled_stop, rest_of
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import ArmLimits

MIN_LEAD_IN, CLOCK_TOLERANCE = 0.06, 0.03
"""Shortest part of the path that a stop carries in front of its braking [s], and in front of the
moment at which it is sent: more than clocks are apart [s]."""
MIN_POINT_GAP = 2e-4
"""Points of the path nearer than this to another are left out [s]: times are rounded to 1 ns."""
HOLD_TIME = 0.2
"""Shortest time in which an arm is brought to a hold [s]."""
HOLD_SHARE = 0.5
"""Share of the acceleration limits that a hold uses: its start is only roughly known."""
HOLD_POINTS = 50
"""Points at which the acceleration of a hold is checked."""


@dataclass(frozen=True)
class CarriedTrajectory:
    """Replacement of a motion: ``trajectory`` begins at the motion's own time ``first`` [s].

    ``begin`` is the motion's time up to which it is the motion's own path [s].
    """

    trajectory: JointTrajectory
    first: float
    begin: float


@dataclass(frozen=True)
class CarriedStop:
    """A checked stop; ``first`` and ``begin`` as in :class:`CarriedTrajectory`."""

    checked: CheckedTrajectory
    first: float
    begin: float


def carried_stop(
    gate: SafetyGate,
    running: JointTrajectory,
    begin: float,
    known_from: float = 0.0,
    lead: float = 0.0,
) -> CarriedStop:
    """Return a stop that brakes from ``begin`` on, with the path up to there in front.

    Path and braking pass the gate as the one trajectory that they are.  Should the gate not let
    the braking pass (a path that grazes a limit leaves no room for it), the stop is the rest of
    the motion, as in :func:`icpi_ros.motion.stop.safe_stop`.

    Args:
        gate: the gate that the motion passed.
        running: the motion under way.
        begin: its own time when the braking begins [s].
        known_from: its own time from which the controller commands exactly this path [s].
        lead: longest time from sending it to ``begin`` [s]: it must have begun when it arrives.

    Raises:
        ValueError: ``begin`` is not a time of the motion.
        MotionRefused: the motion itself did not pass this gate.
    """
    begin = max(begin, known_from)

    def checked(tail: JointTrajectory) -> CarriedStop:
        whole = carried(running, begin, tail, known_from, lead)
        passed = gate.check_stop(whole.trajectory, running.at(whole.first))
        return CarriedStop(passed, whole.first, begin)

    try:
        return checked(controlled_stop(running, begin, gate.limits))
    except MotionRefused:
        return checked(rest_of(running, begin))


def carried(
    running: JointTrajectory,
    begin: float,
    tail: JointTrajectory,
    known_from: float = 0.0,
    lead: float = 0.0,
) -> CarriedTrajectory:
    """Return ``tail``, which starts where the path is at ``begin`` [s], with that path in front.

    The points of the path are its own, so that the controller's polynomials are its own, too.
    """
    first = max(begin - max(MIN_LEAD_IN, lead + CLOCK_TOLERANCE), known_from, 0.0)
    if begin - first < MIN_POINT_GAP:
        return CarriedTrajectory(tail, begin, begin)
    own = running.times
    inside = own[(own > first + MIN_POINT_GAP) & (own < begin - MIN_POINT_GAP)]
    front = np.concatenate([[first], inside])
    rows = (tail.positions, tail.velocities, tail.accelerations)
    parts = zip(running.sample(front), rows, strict=True)
    q, qd, qdd = (np.concatenate([begun, more]) for begun, more in parts)
    times = np.concatenate([front - first, tail.times + (begin - first)])
    return CarriedTrajectory(JointTrajectory(running.joints, times, q, qd, qdd), first, begin)


def hold_on_path(
    running: JointTrajectory,
    begin: float,
    limits: ArmLimits,
    target: Array | None = None,
    known_from: float = 0.0,
    lead: float = 0.0,
) -> CarriedTrajectory:
    """Return a hold that leaves the path at ``begin`` [s] and comes to rest by one polynomial.

    Nothing is checked here: it is the last resort, for where a stop was refused.  Its command
    starts where the command is, so it does not jump, wherever the arm is.

    Args:
        running: the motion under way.
        begin: its own time when the path is left [s].
        limits: of the arm.
        target: ``(n,)`` rest positions [rad]; None = straight ahead, as far as it takes.
        known_from: as in :func:`carried_stop` [s].
        lead: as in :func:`carried_stop` [s].
    """
    begin = max(begin, known_from)
    q, qd, qdd = running.sample(np.array([begin]))
    seconds = HOLD_TIME
    while True:
        end = q[0] + 0.5 * seconds * qd[0] if target is None else target
        end = np.clip(end, limits.lower, limits.upper)
        rest = np.zeros_like(q)
        tail = JointTrajectory(
            running.joints,
            np.array([0.0, seconds]),
            np.concatenate([q, end[np.newaxis]]),
            np.concatenate([qd, rest]),
            np.concatenate([qdd, rest]),
        )
        _, _, bend = tail.sample(np.linspace(0.0, seconds, HOLD_POINTS)[1:])
        allowed = np.maximum(HOLD_SHARE * limits.acceleration, np.abs(qdd[0]))
        if (np.abs(bend) <= allowed).all() or seconds > 8.0 * HOLD_TIME:
            return carried(running, begin, tail, known_from, lead)
        seconds *= 1.25


def rested(motion: JointTrajectory, rest: float, joined: bool = False) -> JointTrajectory:
    """Return a motion with ``rest`` [s] in front of it, so that it has begun when it arrives.

    One that is ``joined`` keeps its first point, which is not sent, and gets no second: a
    controller goes over to its second point meanwhile.
    """
    times = motion.times + rest
    if joined:
        times[0] = 0.0
        return replace(motion, times=times)
    rows = (motion.positions, motion.velocities, motion.accelerations)
    return JointTrajectory(
        motion.joints,
        np.concatenate([[0.0], times]),
        *(np.concatenate([values[:1], values]) for values in rows),
    )
