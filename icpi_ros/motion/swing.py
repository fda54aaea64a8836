"""Motion primitive: joints swing by given angles on one common speed profile.

The speed rises and falls as a raised cosine, so acceleration has no jumps and the points, which
carry exact derivatives, define the motion: the controller's quintic follows it within 1e-7 rad.
"""

from __future__ import annotations

import numpy as np

from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import Array
from icpi_ros.motion.trajectory import TrajectoryBatch
from icpi_ros.robots.base import Arm

POINTS_PER_RAMP = 16


def swings(
    arm: Arm, start: Array, deltas: Array, speed: Array, acceleration: float
) -> TrajectoryBatch:
    """Return one swing per row: all joints travel from ``start`` by their delta, in step.

    Args:
        arm: joint names.
        start: ``(n,)`` [rad].
        deltas: ``(N, n)`` travel of every joint [rad].
        speed: ``(N,)`` peak speed of the joint that travels farthest [rad/s].
        acceleration: mean acceleration of that joint in both ramps [rad/s^2].

    Raises:
        MotionRefused: a travel is too short to reach its speed.
    """
    travel = np.abs(deltas).max(axis=1)
    times, distance, rate, slope = _profile(travel, speed, acceleration)
    share = deltas[:, np.newaxis, :] / travel[:, np.newaxis, np.newaxis]
    positions = start + share * distance[..., np.newaxis]
    velocities, accelerations = share * rate[..., np.newaxis], share * slope[..., np.newaxis]
    positions[:, -1] = start + deltas
    return TrajectoryBatch(arm.joints, times, positions, velocities, accelerations)


def _profile(travel: Array, speed: Array, acceleration: float) -> tuple[Array, ...]:
    """Return times, distance, speed and acceleration of the farthest joint, each ``(N, K)``."""
    ramp = speed / acceleration
    cruise = travel / speed - ramp
    if (cruise <= 0.0).any():
        n = int(np.argmin(cruise))
        value, limit = float(travel[n]), (float(speed[n] * ramp[n]), np.inf)
        text = (
            f"a swing by {value:.3g} rad cannot reach {speed[n]:.3g} rad/s: "
            f"it needs more than {limit[0]:.3g} rad"
        )
        raise MotionRefused(
            Refusal(text, Kind.OUT_OF_BOUNDS, "travel of a swing", "", value, limit, "rad")
        )
    u = np.linspace(0.0, 1.0, POINTS_PER_RAMP + 1)
    v, ramp, cruise = speed[:, np.newaxis], ramp[:, np.newaxis], cruise[:, np.newaxis]
    wave = 0.5 * (1.0 - np.cos(np.pi * u))
    slope = 0.5 * np.pi * np.sin(np.pi * u) * v / ramp
    slope[:, [0, -1]] = 0.0
    covered = 0.5 * v * ramp * (u - np.sin(np.pi * u) / np.pi)
    end = ramp + cruise
    times = np.concatenate([ramp * u, end + ramp * u], axis=1)
    rising, falling = v * wave, v * wave[::-1]
    distance = np.concatenate([covered, travel[:, np.newaxis] - covered[:, ::-1]], axis=1)
    return (
        times,
        distance,
        np.concatenate([rising, falling], axis=1),
        np.concatenate([slope, -slope], axis=1),
    )
