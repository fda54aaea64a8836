"""Extreme joint values of a motion between its points: exact, not sampled."""

from __future__ import annotations

from math import comb

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.motion.trajectory import JointTrajectory

HALVINGS = 22
"""Halvings of the interval in which a root lies: to 2.4e-7 of a segment.  An extreme value is off
by the square of that."""


def _bernstein(count: int) -> Array:
    """Return what makes Bernstein coefficients of so many ascending ones, ``(count, count)``."""
    rows = [[comb(i, k) / comb(count - 1, k) for k in range(count)] for i in range(count)]
    return np.array(rows)


_BERNSTEIN = {count: _bernstein(count) for count in (4, 5, 6)}


def enclosures(motion: JointTrajectory) -> tuple[tuple[Array, Array], ...]:
    """Return bounds of the controller's quintics and their points, in a tenth of the time.

    A polynomial lies between the smallest and the largest of its Bernstein coefficients.

    Returns:
        Lowest and highest position [rad], velocity [rad/s] and acceleration [rad/s^2] that a joint
        can have, each ``(n,)``; NaN where a number is not finite.
    """
    *polynomials, h, n = _polynomials(motion)
    points = (motion.positions, motion.velocities, motion.accelerations)
    found = []
    for power, (c, rows) in enumerate(zip(polynomials, points, strict=True)):
        values = np.concatenate([(_BERNSTEIN[len(c)] @ c / h**power).reshape(-1, n), rows])
        found.append((values.min(axis=0), values.max(axis=0)))
    return tuple(found)


def extremes(motion: JointTrajectory) -> tuple[Array, Array, Array]:
    """Return joint values among which are all extremes of the controller's quintics.

    Position, velocity and acceleration are taken at the ends of every segment and where
    velocity, acceleration or jerk vanish inside.

    Returns:
        Positions [rad], velocities [rad/s] and accelerations [rad/s^2], each ``(S, n)``.
    """
    position, velocity, acceleration, h, n = _polynomials(motion)
    inner = _critical_points(velocity)
    s = np.concatenate([np.zeros((1, len(h))), np.ones((1, len(h))), inner])

    def rows(values: Array) -> Array:
        return values.reshape(-1, len(h) // n, n).swapaxes(0, 1).reshape(-1, n)

    return (
        np.concatenate([rows(_evaluate(position, s)), motion.positions]),
        np.concatenate([rows(_evaluate(velocity, s) / h), motion.velocities]),
        np.concatenate([rows(_evaluate(acceleration, s) / h**2), motion.accelerations]),
    )


def _polynomials(motion: JointTrajectory) -> tuple[Array, Array, Array, Array, int]:
    """Return ascending coefficients of position, velocity and acceleration of all segments.

    Returns:
        ``(6, M)``, ``(5, M)`` and ``(4, M)`` in powers of s in [0, 1], widths ``(M,)`` [s], and how
        many joints there are: ``M`` goes over the segments and, faster, over the joints.
    """
    coefficients, widths = motion.quintics()
    _, segments, n = coefficients.shape
    position = coefficients.reshape(6, segments * n)
    velocity = _derivative(position)
    return position, velocity, _derivative(velocity), np.repeat(widths, n), n


def _critical_points(c: Array) -> Array:
    """Return the roots in [0, 1] of polynomials and of all their derivatives.

    Between two neighbouring roots of its derivative a polynomial is monotone, so that halving
    finds its root there; where there is none, some other point of the interval is returned.

    Args:
        c: ``(k + 1, M)`` ascending coefficients of degree k >= 1.

    Returns:
        ``(k (k + 1) / 2, M)``, the polynomials' own k roots first.
    """
    degree, count = len(c) - 1, c.shape[1]
    if degree == 0:
        return np.empty((0, count))
    below = _critical_points(_derivative(c))
    turning = np.sort(below[: degree - 1], axis=0)
    edges = np.concatenate([np.zeros((1, count)), turning, np.ones((1, count))])
    low, high = edges[:-1].copy(), edges[1:].copy()
    rising = _evaluate(c, low) < 0.0
    for _ in range(HALVINGS):
        middle = 0.5 * (low + high)
        before = (_evaluate(c, middle) < 0.0) == rising
        np.copyto(low, middle, where=before)
        np.copyto(high, middle, where=~before)
    return np.concatenate([low, below])


def _derivative(c: Array) -> Array:
    return c[1:] * np.arange(1, len(c))[:, np.newaxis]


def _evaluate(c: Array, s: Array) -> Array:
    """Return ``(r, M)`` values of polynomials ``(k + 1, M)`` at ``(r, M)``."""
    value: Array = c[-1] * s
    value += c[-2]
    for k in range(len(c) - 3, -1, -1):
        value *= s
        value += c[k]
    return value
