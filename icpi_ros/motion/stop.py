"""Controlled stop: brake along the path of a motion that is under way."""

from __future__ import annotations

import numpy as np

from icpi_ros.arms.base import ArmLimits
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.types import Array

POINTS = 25
STEP = 0.001
"""Step of the motion's own time in which braking is planned [s]."""
MARGIN = 0.9
"""Share of the acceleration limits that a stop uses; the rest is for interpolation."""
MIN_STOP = 0.02
"""Shortest stop [s]: a motion that hardly moves is not stopped harder than this."""
SLOWEST = 0.5
"""Deceleration of the motion's clock where the limits leave no room to brake [1/s]."""


def controlled_stop(
    trajectory: JointTrajectory, elapsed: float, limits: ArmLimits
) -> JointTrajectory:
    """Return the fastest stop along the path that keeps the acceleration limits.

    The motion's own clock s is slowed from rate 1 to 0, so the arm stays on its checked path.
    With K = rate^2 / 2, dK/ds is the clock's acceleration; at every s it is the lowest for which
    all joints respect |q''(s) rate^2 + q'(s) dK/ds| <= limit (time-optimal path tracking:
    Bobrow, Dubowsky and Gibson, IJRR 1985).

    Args:
        trajectory: the motion under way.
        elapsed: its time now [s].
        limits: acceleration limits of the arm.

    Raises:
        ValueError: ``elapsed`` is negative or not finite.
    """
    if not 0.0 <= elapsed < np.inf:
        raise ValueError(f"elapsed = {elapsed} s is not a time of the motion")
    count = int(np.ceil(max(trajectory.duration - elapsed, 0.0) / STEP)) + 2
    _, qd, qdd = trajectory.sample(elapsed + STEP * np.arange(count, dtype=np.float64))
    energy = np.empty(count)
    energy[0] = 0.5
    end = count - 1  # where nothing brakes in time the motion comes to rest by itself
    for i in range(count - 1):
        energy[i + 1] = energy[i] + STEP * _braking(qd[i], qdd[i], 2.0 * energy[i], limits)
        if energy[i + 1] <= 0.0:
            end = i + 1
            break
    return _stop_points(trajectory, elapsed, STEP, np.diff(energy[: end + 1]) / STEP)


def _braking(qd: Array, qdd: Array, rate_squared: float, limits: ArmLimits) -> float:
    """Return the strongest deceleration of the clock that all joints allow [1/s], negative."""
    moving = np.abs(qd) > 1e-6
    if not moving.any():
        return -1.0 / MIN_STOP
    bound = -np.sign(qd[moving]) * MARGIN * limits.acceleration[moving]
    lowest = float(np.max((bound - qdd[moving] * rate_squared) / qd[moving]))
    return float(np.clip(lowest, -1.0 / MIN_STOP, -SLOWEST))


def _stop_points(
    trajectory: JointTrajectory, elapsed: float, step: float, braking: Array
) -> JointTrajectory:
    """Integrate the clock through pieces of constant deceleration and sample the path."""
    rates, times = [1.0], [0.0]
    for deceleration in braking:
        left = max(rates[-1] ** 2 + 2.0 * deceleration * step, 0.0)
        rates.append(float(np.sqrt(left)))
        times.append(times[-1] + (rates[-2] - rates[-1]) / -deceleration)
        if left == 0.0:
            break
    knots = np.linspace(0.0, times[-1], POINTS)
    rate = np.interp(knots, times, rates)
    slow = np.append(braking[: len(times) - 1], 0.0)
    index = np.clip(np.searchsorted(times, knots, side="right") - 1, 0, len(times) - 2)
    since = knots - np.array(times)[index]
    clock = elapsed + step * index + since * (np.array(rates)[index] + 0.5 * slow[index] * since)
    q, qd, qdd = trajectory.sample(clock)
    velocity = qd * rate[:, np.newaxis]
    acceleration = qdd * rate[:, np.newaxis] ** 2 + qd * slow[index][:, np.newaxis]
    velocity[-1] = 0.0
    return JointTrajectory(trajectory.joints, knots, q, velocity, acceleration)
