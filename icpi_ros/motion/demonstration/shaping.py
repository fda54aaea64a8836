"""Joint paths of changed tool paths: turned, scaled, shifted, lengthened."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm

MAX_STEPS = 30
"""Most Newton steps from the demonstrated joints to changed ones."""
MAX_STEP = 0.3
"""Largest change of a joint in one of them [rad]."""
CONVERGED = 1e-9
"""Largest error that is left of a pose [m], [rad]."""
DAMPING = 1e-9
UP = np.array([0.0, 0.0, 1.0])


@dataclass(frozen=True)
class ToolChange:
    """Change of ``N`` tool paths about their starts.

    Attributes:
        turn: ``(N, 3, 3)`` rotation.
        scale: ``(N,)`` of all lengths.
        shift: ``(N, 3)`` [m].
    """

    turn: Array
    scale: Array
    shift: Array

    def of(self, points: Array, rotations: Array) -> tuple[Array, Array]:
        """Return the changed poses of ``(N, M, 3)`` points and ``(N, M, 3, 3)`` rotations."""
        start = points[:, :1]
        turned = np.einsum("nij,nmj->nmi", self.turn, points - start)
        moved = start + self.scale[:, np.newaxis, np.newaxis] * turned
        return moved + self.shift[:, np.newaxis], self.turn[:, np.newaxis] @ rotations


def followed(arm: Arm, guess: Array, points: Array, rotations: Array) -> Array:
    """Return joints ``(..., n)`` of poses, found from a ``guess``; NaN where none are found.

    Newton's method from the demonstrated joints keeps their branch (elbow, wrist), which
    :meth:`Arm.ik` would change to its own, and the demonstrated posture of a seventh joint.
    """
    n = guess.shape[-1]
    q, wanted, turned = (
        guess.reshape(-1, n).copy(),
        points.reshape(-1, 3),
        rotations.reshape(-1, 3, 3),
    )
    rows = np.arange(len(q))
    for _ in range(MAX_STEPS):
        point, rotation = arm.tool_pose(q[rows])
        apart = rotation_vector(turned[rows] @ np.swapaxes(rotation, -1, -2))
        error = np.concatenate([wanted[rows] - point, apart], axis=1)
        open_ = ~(np.abs(error).max(axis=1) <= CONVERGED)
        rows, error = rows[open_], error[open_]
        if not len(rows):
            return q.reshape(guess.shape)
        jacobian = arm.jacobian(q[rows])
        square = jacobian @ np.swapaxes(jacobian, -1, -2) + DAMPING * np.eye(6)
        step = np.swapaxes(jacobian, -1, -2) @ np.linalg.solve(square, error[..., np.newaxis])
        largest = np.abs(step).max(axis=1, keepdims=True)
        q[rows] += (step * np.minimum(1.0, MAX_STEP / np.maximum(largest, 1e-12)))[..., 0]
    q[rows] = np.nan
    return q.reshape(guess.shape)


def screwed(point: Array, rotation: Array, twist: Array, way: Array) -> tuple[Array, Array]:
    """Return poses that go on from one with a constant twist: straight on, or round in a circle.

    Args:
        point: ``(N, 3)`` [m].
        rotation: ``(N, 3, 3)``.
        twist: ``(N, 6)`` of the tool per length of the path [m/m], [rad/m].
        way: ``(N, M)`` [m].
    """
    linear, angular = twist[:, np.newaxis, :3, np.newaxis], twist[:, np.newaxis, 3:]
    turn = angular * way[..., np.newaxis]
    angle = np.linalg.norm(turn, axis=-1)[..., np.newaxis, np.newaxis]
    cross, small = cross_matrix(turn), angle < 1e-4
    safe = np.where(small, 1.0, angle)
    first = np.where(small, 0.5, (1.0 - np.cos(safe)) / safe**2)
    second = np.where(small, 1.0 / 6.0, (safe - np.sin(safe)) / safe**3)
    along = np.eye(3) + first * cross + second * cross @ cross
    moved = (along @ linear)[..., 0] * way[..., np.newaxis]
    return point[:, np.newaxis] + moved, rotation_matrix(turn) @ rotation[:, np.newaxis]


def cross_matrix(vector: Array) -> Array:
    """Return the matrices ``(..., 3, 3)`` of cross products with vectors ``(..., 3)``."""
    x, y, z = np.moveaxis(vector, -1, 0)
    zero = np.zeros_like(x)
    rows = [[zero, -z, y], [z, zero, -x], [-y, x, zero]]
    return np.stack([np.stack(row, axis=-1) for row in rows], axis=-2)


def rotation_matrix(vector: Array) -> Array:
    """Return the rotations ``(..., 3, 3)`` of rotation vectors ``(..., 3)`` [rad]."""
    angle = np.linalg.norm(vector, axis=-1)[..., np.newaxis, np.newaxis]
    cross = cross_matrix(vector)
    first = np.sinc(angle / np.pi)
    second = 0.5 * np.sinc(0.5 * angle / np.pi) ** 2
    return np.asarray(np.eye(3) + first * cross + second * cross @ cross)


def rotation_vector(rotation: Array) -> Array:
    """Return the rotation vectors ``(..., 3)`` [rad] of rotations by less than half a turn."""
    apart = rotation - np.swapaxes(rotation, -1, -2)
    axis = 0.5 * np.stack([apart[..., 2, 1], apart[..., 0, 2], apart[..., 1, 0]], axis=-1)
    sine = np.linalg.norm(axis, axis=-1)
    cosine = 0.5 * (np.trace(rotation, axis1=-2, axis2=-1) - 1.0)
    angle = np.arctan2(sine, cosine)
    factor = np.where(sine < 1e-9, 1.0, angle / np.maximum(sine, 1e-12))
    return np.asarray(axis * factor[..., np.newaxis])


def level_direction(arm: Arm, q: Array, slope: Array, chord: Array) -> Array:
    """Return the level unit vector ``(3,)`` along which the tool moves at joints ``q``.

    Args:
        arm: that moves.
        q: ``(n,)`` joints [rad].
        slope: ``(n,)`` their change along the path [rad/m].
        chord: ``(3,)`` taken where the tool moves straight up or down; then x of frame base.
    """
    for way in (arm.jacobian(q)[:3] @ slope, chord):
        level = way - (way @ UP) * UP
        if np.linalg.norm(level) > 0.2 * np.linalg.norm(way):
            return np.asarray(level / np.linalg.norm(level))
    return np.array([1.0, 0.0, 0.0])
