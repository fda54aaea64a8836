"""Extreme joint values of a motion between its points: exact, not sampled."""

from __future__ import annotations

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.motion.trajectory import JointTrajectory

HALVINGS = 22
"""Halvings of the interval in which a root lies: to 2.4e-7 of a segment.  An extreme value is off
by the square of that."""


def extremes(motion: JointTrajectory) -> tuple[Array, Array, Array]:
    """Return joint values among which are all extremes of the controller's quintics.

    Position, velocity and acceleration are taken at the ends of every segment and where
    velocity, acceleration or jerk vanish inside.

    Returns:
        Positions [rad], velocities [rad/s] and accelerations [rad/s^2], each ``(S, n)``.
    """
    coefficients, widths = motion.quintics()
    segments, n, _ = coefficients.shape
    position = coefficients.reshape(segments * n, 6)
    velocity = _derivative(position)
    acceleration = _derivative(velocity)
    inner = _critical_points(velocity)
    ends = np.broadcast_to([0.0, 1.0], (len(position), 2))
    s = np.concatenate([ends, inner], axis=1)
    h = np.repeat(widths, n)[:, np.newaxis]

    def rows(values: Array) -> Array:
        return values.reshape(segments, n, -1).swapaxes(1, 2).reshape(-1, n)

    return (
        np.concatenate([rows(_evaluate(position, s)), motion.positions]),
        np.concatenate([rows(_evaluate(velocity, s) / h), motion.velocities]),
        np.concatenate([rows(_evaluate(acceleration, s) / h**2), motion.accelerations]),
    )


def _critical_points(c: Array) -> Array:
    """Return the roots in [0, 1] of polynomials and of all their derivatives.

    Between two neighbouring roots of its derivative a polynomial is monotone, so that halving
    finds its root there; where there is none, some other point of the interval is returned.

    Args:
        c: ``(M, k + 1)`` ascending coefficients of degree k >= 1.

    Returns:
        ``(M, k (k + 1) / 2)``, the polynomials' own k roots first.
    """
    count, degree = len(c), c.shape[1] - 1
    if degree == 0:
        return np.empty((count, 0))
    below = _critical_points(_derivative(c))
    turning = np.sort(below[:, : degree - 1], axis=1)
    edges = np.concatenate([np.zeros((count, 1)), turning, np.ones((count, 1))], axis=1)
    low, high = edges[:, :-1], edges[:, 1:]
    rising = _evaluate(c, low) < 0.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        before = (_evaluate(c, middle) < 0.0) == rising
        low, high = np.where(before, middle, low), np.where(before, high, middle)
    return np.concatenate([low, below], axis=1)


def _derivative(c: Array) -> Array:
    return c[:, 1:] * np.arange(1, c.shape[1])


def _evaluate(c: Array, s: Array) -> Array:
    """Return ``(M, r)`` values of polynomials ``(M, k + 1)`` at ``(M, r)``."""
    value = c[:, -2:-1] + c[:, -1:] * s
    for k in range(c.shape[1] - 3, -1, -1):
        value = value * s + c[:, k : k + 1]
    return value
