"""Motion primitives: straight strikes, swings and slow rest-to-rest moves, exact derivatives.

A strike moves the tool point along a straight line with raised-cosine speed ramps.  Joint
velocities and accelerations at the points come from the Jacobian, not from differences, so the
controller's quintic interpolation stays on the line; the last velocity is exactly zero.  An arm of
more than six joints moves them as its inverse kinematics do, so they fit the positions.

A swing turns joints by given angles on one common speed profile, a raised cosine as well:
acceleration has no jumps, and the controller's quintic follows the points within 1e-7 rad.

A fling turns joints by given angles, too, each with a bell of speed of its own that begins later
than the others' by a lag, as in a throw.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import Array
from icpi_ros.motion.trajectory import JointTrajectory, TrajectoryBatch
from icpi_ros.robots.base import Arm

JOIN_TIME = 0.1
"""Time in which a slow move makes up for the error of its start [s]: 5 mrad take 3 rad/s^2."""
DWELL_TIME = 0.3
"""Time to hold the end of a slow move, so that the servos' lag dies out [s]."""
SAME_POSE = 1e-6
"""Distance of a goal from the start of a slow move that needs no move [rad]."""
POINTS_PER_RAMP = 16
"""Trajectory points of each speed ramp: interpolation stays within 1e-7 rad of the line."""


@dataclass(frozen=True)
class Strike:
    """Fixed part of a straight strike in the plane z = const.

    Attributes:
        start: ``(3,)`` [m] tool point where the strike begins for heading 0, frame ``base``.
        pivot: ``(3,)`` [m] point on which every strike line lies (the object's centre); the
            start turns about it with the heading.
        run_up: distance over which the tool accelerates [m].
        deceleration: mean deceleration after the run-up [m/s^2]; an arm may brake more slowly,
            see :attr:`Arm.strike_deceleration`.
    """

    start: Array
    pivot: Array
    run_up: float
    deceleration: float


def strike_rotation(heading: Array) -> Array:
    """Return tool rotations ``(..., 3, 3)``: z down, y along the strike.

    Heading 0 strikes along +y; positive headings turn counter-clockwise seen from above
    (REP-103).
    """
    s, c, zero = np.sin(heading), np.cos(heading), np.zeros_like(heading)
    along = np.stack([-s, c, zero], axis=-1)
    down = np.broadcast_to(np.array([0.0, 0.0, -1.0]), along.shape)
    return np.stack([np.cross(along, down), along, down], axis=-1)


def rising_rotation(heading: Array, elevation: Array) -> Array:
    """Return tool rotations ``(..., 3, 3)`` of strikes that rise by ``elevation`` ``(...)`` [rad].

    As :func:`strike_rotation`, then pitched about the tool's x: y is along the strike.
    """
    s, c, zero = np.sin(elevation), np.cos(elevation), np.zeros_like(elevation)
    one = np.ones_like(elevation)
    pitch = np.stack([one, zero, zero, zero, c, s, zero, -s, c], axis=-1)
    turned = pitch.reshape(*np.shape(elevation), 3, 3)
    return np.asarray(strike_rotation(heading) @ turned)


def strikes(
    arm: Arm, strike: Strike, speed: Array, heading: Array, elevation: Array | None = None
) -> TrajectoryBatch:
    """Return one strike per peak ``speed`` ``(N,)`` [m/s] and ``heading`` ``(N,)`` [rad].

    Args:
        arm: that strikes.
        strike: the fixed part.
        speed: of the tool at its fastest.
        heading: see :func:`strike_rotation`.
        elevation: ``(N,)`` by which the line rises [rad], the blade stays square to it; None =
            level.

    Raises:
        MotionRefused: a point of a strike is out of the arm's reach.
    """
    deceleration = min(strike.deceleration, arm.strike_deceleration)
    times, distance, rate, acceleration = _speed_profile(strike.run_up, deceleration, speed)
    tool = strike_rotation(heading) if elevation is None else rising_rotation(heading, elevation)
    rotation = tool[:, np.newaxis]
    along = rotation[..., :, 1]
    arm_length = float(np.linalg.norm(strike.pivot - strike.start))
    origin = strike.pivot - arm_length * along
    position = origin + distance[..., np.newaxis] * along
    q = arm.ik(position, np.broadcast_to(rotation, (*position.shape[:2], 3, 3)))
    if not np.isfinite(q).all():
        n = int(np.argmax(~np.isfinite(q).all(axis=(1, 2))))
        text = (
            f"strike with speed {speed[n]:.3g} m/s and heading {heading[n]:.3g} rad leaves the "
            f"reach of {arm.name}: move its start or shorten the run-up"
        )
        raise MotionRefused(Refusal(text, Kind.OUT_OF_REACH, "strike"))
    q = np.unwrap(q, axis=1)
    qd, qdd = _joint_derivatives(
        arm, q, rate[..., np.newaxis] * along, acceleration[..., np.newaxis] * along
    )
    qd[:, [0, -1]] = 0.0
    qdd[:, [0, -1]] = 0.0
    return TrajectoryBatch(arm.joints, times, q, qd, qdd)


def _speed_profile(
    run_up: float, deceleration: float, speed: Array
) -> tuple[Array, Array, Array, Array]:
    """Return times, distance, speed and acceleration along the line, each ``(N, K)``."""
    u = np.linspace(0.0, 1.0, POINTS_PER_RAMP + 1)
    v = speed[:, np.newaxis]
    up, down = 2.0 * run_up / v, v / deceleration
    wave, slope = 0.5 * (1.0 - np.cos(np.pi * u)), 0.5 * np.pi * np.sin(np.pi * u)
    covered = 0.5 * (u - np.sin(np.pi * u) / np.pi)
    half = slice(1, None)
    times = np.concatenate([up * u, up + down * u[half]], axis=1)
    rate = np.concatenate([v * wave, v * (1.0 - wave[half])], axis=1)
    acceleration = np.concatenate([v / up * slope, -v / down * slope[half]], axis=1)
    distance = np.concatenate(
        [v * up * covered, run_up + v * down * (u[half] - covered[half])], axis=1
    )
    return times, distance, rate, acceleration


def _joint_derivatives(
    arm: Arm, q: Array, velocity: Array, acceleration: Array
) -> tuple[Array, Array]:
    """Return joint velocity and acceleration for a translating tool that does not turn.

    Six joints: qd = J^-1 [v, 0];  qdd = J^-1 ([a, 0] - dJ/dt qd).  More: with the arm's rates G,
    qd = G [v, 0];  qdd = G [a, 0] + dG/dt [v, 0].  dJ/dt and dG/dt by a central difference along
    qd.
    """
    zeros = np.zeros_like(velocity)
    twist = np.concatenate([velocity, zeros], axis=-1)
    change = np.concatenate([acceleration, zeros], axis=-1)
    step = 1e-5
    if len(arm.joints) > 6:
        rates = arm.differential_ik(q)
        qd = _times(rates, twist)
        turning = (arm.differential_ik(q + step * qd) - arm.differential_ik(q - step * qd)) / (
            2.0 * step
        )
        return qd, _times(rates, change) + _times(turning, twist)
    jacobian = arm.jacobian(q)
    qd = _solve(jacobian, twist)
    turning = (arm.jacobian(q + step * qd) - arm.jacobian(q - step * qd)) / (2.0 * step)
    return qd, _solve(jacobian, change - _times(turning, qd))


def _times(matrices: Array, vectors: Array) -> Array:
    return np.asarray((matrices @ vectors[..., np.newaxis])[..., 0])


def _solve(jacobian: Array, twist: Array) -> Array:
    return np.asarray(np.linalg.solve(jacobian, twist[..., np.newaxis])[..., 0])


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
    times, distance, rate, slope = _swing_profile(travel, speed, acceleration)
    share = deltas[:, np.newaxis, :] / travel[:, np.newaxis, np.newaxis]
    positions = start + share * distance[..., np.newaxis]
    velocities, accelerations = share * rate[..., np.newaxis], share * slope[..., np.newaxis]
    positions[:, -1] = start + deltas
    return TrajectoryBatch(arm.joints, times, positions, velocities, accelerations)


def _swing_profile(travel: Array, speed: Array, acceleration: float) -> tuple[Array, ...]:
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


def flings(arm: Arm, starts: Array, deltas: Array, duration: Array, lags: Array) -> TrajectoryBatch:
    """Return one fling per row: every joint travels on its own bell of speed, begun with its lag.

    Args:
        arm: joint names.
        starts: ``(N, n)`` [rad].
        deltas: ``(N, n)`` travel of every joint [rad]; its peak speed is twice its mean.
        duration: ``(N,)`` of every joint's travel [s].
        lags: ``(N, n)`` from the start of the fling to that of the joint [s], not negative.
    """
    total = duration + lags.max(axis=1)
    times = total[:, np.newaxis] * np.linspace(0.0, 1.0, 2 * POINTS_PER_RAMP + 1)
    span = duration[:, np.newaxis, np.newaxis]
    u = np.clip((times[..., np.newaxis] - lags[:, np.newaxis, :]) / span, 0.0, 1.0)
    travel = deltas[:, np.newaxis, :]
    positions = starts[:, np.newaxis, :] + travel * (u - np.sin(2.0 * np.pi * u) / (2.0 * np.pi))
    velocities = travel / span * (1.0 - np.cos(2.0 * np.pi * u))
    accelerations = 2.0 * np.pi * travel / span**2 * np.sin(2.0 * np.pi * u)
    velocities[:, [0, -1]] = accelerations[:, [0, -1]] = 0.0
    positions[:, -1] = starts + deltas
    return TrajectoryBatch(arm.joints, times, positions, velocities, accelerations)


def point_to_point(
    arm: Arm, start: Array, goal: Array, speed_scale: float = 0.5, dwell: float = 0.0
) -> JointTrajectory:
    """Return a straight joint-space move from rest to rest.

    Position follows the quintic 10 s^3 - 15 s^4 + 6 s^5 (zero velocity and acceleration at both
    ends), as slow as needed to stay below ``speed_scale`` of the arm's velocity limits and
    ``speed_scale`` squared of its acceleration limits.

    Args:
        arm: limits and joint names.
        start: ``(n,)`` [rad].
        goal: ``(n,)`` [rad].
        speed_scale: share of the limits, 0 (exclusive) to 1.
        dwell: time to hold the goal at the end [s], so that the servos' lag dies out.
    """
    travel = np.abs(goal - start)
    by_speed = 1.875 * travel / (speed_scale * arm.limits.velocity)
    by_acceleration = np.sqrt(
        10.0 / np.sqrt(3.0) * travel / (speed_scale**2 * arm.limits.acceleration)
    )
    duration = max(float(np.max(by_speed)), float(np.max(by_acceleration)), 0.1)
    times = [0.0, duration] if dwell <= 0.0 else [0.0, duration, duration + dwell]
    positions = np.stack([start, goal, goal][: len(times)])
    zero = np.zeros_like(positions)
    return JointTrajectory(arm.joints, np.array(times), positions, zero, zero.copy())


def slow_move(
    arm: Arm, start: Array, goal: Array, speed_scale: float, dwell: float = DWELL_TIME
) -> JointTrajectory:
    """Return :func:`point_to_point` with a further point :data:`JOIN_TIME` after its start.

    What starts at a measured position is sent without its first point
    (:meth:`JointTrajectory.without_start`): a controller that joins from what it commands goes
    over into the path within that time, instead of stepping by what its servos are off.
    """
    path = point_to_point(arm, start, goal, speed_scale, dwell)
    if path.times[1] <= 2.0 * JOIN_TIME:
        return path
    q, qd, qdd = path.sample(np.array([JOIN_TIME]))
    return JointTrajectory(
        path.joints,
        np.insert(path.times, 1, JOIN_TIME),
        np.insert(path.positions, 1, q[0], axis=0),
        np.insert(path.velocities, 1, qd[0], axis=0),
        np.insert(path.accelerations, 1, qdd[0], axis=0),
    )
