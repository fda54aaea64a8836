"""Controlled stop: brake along the path of a motion that is under way.

A stop is a trajectory that replaces the running one: its first point is where the path is when
it takes over, with the velocity there, so that a controller without a stop of its own (and one
that jerks when a motion is cancelled) brakes within the arm's limits.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import Array
from icpi_ros.motion.safety import MIN_SEGMENT, CheckedTrajectory, SafetyGate
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import ArmLimits

STEP = 0.001
"""Step of the motion's own time in which braking is planned [s]."""
AHEAD = 200
"""Steps that are sampled at once: a stop seldom takes longer."""
ONSET = 4
"""Steps in which braking sets in: a stop starts with the acceleration of the path, so that the path
in front of it is the path itself, and so that what comes a little late makes no step."""
MARGIN = 0.9
"""Share of the acceleration limits that braking uses; the rest is for interpolation."""
MIN_STOP = 0.02
"""Shortest stop [s]: a motion that hardly moves is not stopped harder than this."""
SPACING = 0.004
"""Time between two points of a stop [s]."""
MIN_POINTS, MAX_POINTS = 12, 400


@dataclass(frozen=True)
class _Braking:
    """Slowing of the motion's clock, in ``M`` pieces of constant deceleration.

    Attributes:
        times: ``(M + 1,)`` ends of the pieces in the stop's time [s].
        clock: ``(M + 1,)`` the motion's own time there [s].
        rates: ``(M + 1,)`` the clock's rate there, 1 at first.
        slopes: ``(M,)`` change of the rate in each piece [1/s], not positive.
    """

    times: Array
    clock: Array
    rates: Array
    slopes: Array


def safe_stop(
    gate: SafetyGate, running: JointTrajectory, elapsed: float, lead: float = 0.0
) -> CheckedTrajectory:
    """Return a checked stop of a motion that passed the gate.

    It brakes as hard as the limits allow.  Should the gate not let that pass (a path that grazes
    a limit leaves no room for interpolation), the stop is the rest of the motion: slower, but
    checked already and at rest at its end.

    Args:
        gate: the gate that the motion passed.
        running: the motion under way.
        elapsed: its time now [s].
        lead: how much later the stop takes over [s].

    Raises:
        ValueError: ``elapsed + lead`` is negative or not finite.
        MotionRefused: the motion itself did not pass this gate.
    """
    begin = running.at(elapsed + lead)
    try:
        return gate.check_stop(controlled_stop(running, elapsed, gate.limits, lead), begin)
    except MotionRefused:
        return gate.check_stop(rest_of(running, elapsed + lead), begin)


def controlled_stop(
    trajectory: JointTrajectory, elapsed: float, limits: ArmLimits, lead: float = 0.0
) -> JointTrajectory:
    """Return the fastest stop along the path that keeps the acceleration limits.

    The motion's own clock s is slowed from rate 1 to 0, so the arm stays on its checked path.
    With K = rate^2 / 2, dK/ds is the clock's acceleration; at every s it is the lowest for which
    all joints respect |q''(s) rate^2 + q'(s) dK/ds| <= limit (time-optimal path tracking:
    Bobrow, Dubowsky and Gibson, IJRR 1985).  The limit is ``MARGIN`` of the arm's, or what the
    motion itself needs there if that is more: never speeding up is then always possible.

    Args:
        trajectory: the motion under way.
        elapsed: its time now [s].
        limits: acceleration limits of the arm.
        lead: how much later the stop takes over [s].

    Raises:
        ValueError: ``elapsed + lead`` is negative or not finite.
    """
    begin = elapsed + lead
    if not 0.0 <= begin < np.inf:
        raise ValueError(f"elapsed = {begin} s is not a time of the motion")
    return _points(trajectory, _braking(trajectory, begin, limits))


def rest_of(trajectory: JointTrajectory, begin: float) -> JointTrajectory:
    """Return what is left of a motion at its time ``begin`` [s], as a motion of its own."""
    left = trajectory.times > begin + MIN_SEGMENT
    q, qd, qdd = trajectory.sample(np.array([begin]))
    if not left.any():  # less than a segment before its end, or after it
        left[-1] = True
    times = np.maximum(trajectory.times[left] - begin, MIN_STOP if left.sum() == 1 else 0.0)
    return JointTrajectory(
        trajectory.joints,
        np.concatenate([[0.0], times]),
        np.concatenate([q, trajectory.positions[left]]),
        np.concatenate([qd, trajectory.velocities[left]]),
        np.concatenate([qdd, trajectory.accelerations[left]]),
    )


def _braking(trajectory: JointTrajectory, begin: float, limits: ArmLimits) -> _Braking:
    """Plan the clock from ``begin`` [s] on to its stop; after the motion's end it stops fast."""
    times, clock, rates = [0.0], [begin], [1.0]
    slopes: list[float] = []
    energy = 0.5
    while energy > 0.0:
        constant, factor = _bounds(trajectory, clock[-1], limits)
        for row in range(AHEAD):
            lowest = float((constant[row] - factor[row] * 2.0 * energy).max())
            onset = min((len(slopes) + 0.5) / ONSET, 1.0)
            slope = onset * min(max(lowest, -1.0 / MIN_STOP), 0.0)
            step = STEP if energy + slope * STEP > 0.0 else energy / -slope
            energy = energy + slope * STEP if step == STEP else 0.0
            rates.append(float(np.sqrt(2.0 * energy)))
            slopes.append(slope)
            clock.append(clock[-1] + step)
            times.append(times[-1] + 2.0 * step / (rates[-2] + rates[-1]))
            if energy == 0.0:
                break
    return _Braking(np.array(times), np.array(clock), np.array(rates), np.array(slopes))


def _bounds(trajectory: JointTrajectory, begin: float, limits: ArmLimits) -> tuple[Array, Array]:
    """Return c and f, ``(AHEAD, 2 n)``: in each step dK/ds is at least max(c - f rate^2).

    Both ends of a step count.
    """
    _, qd, qdd = trajectory.sample(begin + STEP * np.arange(AHEAD + 1, dtype=np.float64))
    bound = np.maximum(MARGIN * limits.acceleration, np.abs(qdd))
    moving = np.abs(qd) > 1e-6
    safe = np.where(moving, qd, 1.0)
    constant = np.where(moving, -bound / np.abs(safe), -np.inf)
    factor = np.where(moving, qdd / safe, 0.0)
    return (
        np.concatenate([constant[:-1], constant[1:]], axis=1),
        np.concatenate([factor[:-1], factor[1:]], axis=1),
    )


def _points(trajectory: JointTrajectory, plan: _Braking) -> JointTrajectory:
    """Sample the slowed path at even times."""
    count = int(np.clip(np.ceil(plan.times[-1] / SPACING), MIN_POINTS, MAX_POINTS))
    knots = np.linspace(0.0, plan.times[-1], count + 1)
    last = len(plan.slopes) - 1
    index = np.clip(np.searchsorted(plan.times, knots, side="right") - 1, 0, last)
    since, slope = knots - plan.times[index], plan.slopes[index]
    rate = np.maximum(plan.rates[index] + slope * since, 0.0)
    clock = plan.clock[index] + since * (plan.rates[index] + 0.5 * slope * since)
    q, qd, qdd = trajectory.sample(clock)
    # Between the middles of the pieces the deceleration changes evenly; it is 0 at the begin.
    middles = np.concatenate([[0.0], 0.5 * (plan.times[1:] + plan.times[:-1])])
    bend = np.interp(knots, middles, np.concatenate([[0.0], plan.slopes]))
    velocity = qd * rate[:, np.newaxis]
    acceleration = qdd * rate[:, np.newaxis] ** 2 + qd * bend[:, np.newaxis]
    velocity[-1] = 0.0
    return JointTrajectory(trajectory.joints, knots, q, velocity, acceleration)
