"""Kinematics of serial arms: link frames, tool pose, Jacobian, and the inverse.

The inverse is for any arm of six or more joints, by Newton's method.  The wanted pose is led from
the tool's pose at ``home`` to the asked one; damped Newton steps follow it.  Each row of a batch
is solved alone and always from ``home``, so an answer depends on its pose only, and neighbouring
poses get neighbouring answers.  More than six joints: of all answers the one that costs least,
where a joint costs its squared way from ``home``, and much more close to a limit; Newton's method
gets the exact second derivatives, so that the answer is smooth in the pose (Lagrange conditions of
the least cost; no other source).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_ros.core.types import Array

LEGS = 8
"""Parts of the way from the pose at home to the wanted one."""
STEPS_PER_LEG = 2
MAX_LAST_STEPS = 40
"""Most Newton steps at the wanted pose."""
MAX_STEP = 0.4
"""Largest change of a joint in one step [rad]."""
CONVERGED = 1e-10
"""Largest remaining error of an answer: pose [m], [rad], and condition of the least cost."""
DAMPING = 1e-3
"""Square of the damping where the error is 1 or more; it falls with the error's square."""
LIMIT_SLOPE, LIMIT_POWER = 2.0, 7
"""Slope and power of the cost close to a limit."""


@dataclass(frozen=True)
class Chain:
    """Geometry of ``n`` revolute joints in series.

    Attributes:
        origins: ``(n, 4, 4)`` frame of joint i (origin on its axis, z along it) at joint
            position 0 in the frame of link i - 1; the first in frame ``base`` [m].
        tool: ``(4, 4)`` tool point and rotation in the frame of the last link [m].
    """

    origins: Array
    tool: Array

    def links(self, q: Array) -> Array:
        """Return frames ``(..., n + 1, 4, 4)`` of the base and of every link for q ``(..., n)``."""
        frames = np.empty((*q.shape[:-1], len(self.origins) + 1, 4, 4))
        frames[..., 0, :, :] = np.eye(4)
        c, s = np.cos(q), np.sin(q)
        for joint, origin in enumerate(self.origins):
            before = frames[..., joint, :, :] @ origin
            frames[..., joint + 1, :, :] = before
            turn_c, turn_s = c[..., joint, np.newaxis], s[..., joint, np.newaxis]
            x, y = before[..., 0], before[..., 1]
            frames[..., joint + 1, :, 0] = turn_c * x + turn_s * y
            frames[..., joint + 1, :, 1] = turn_c * y - turn_s * x
        return frames

    def tool_frame(self, links: Array) -> Array:
        """Return the tool frame ``(..., 4, 4)`` for frames of :meth:`links`."""
        return np.asarray(links[..., -1, :, :] @ self.tool)

    @staticmethod
    def columns(links: Array, point: Array) -> tuple[Array, Array]:
        """Return joint axes and velocities of ``point`` ``(..., 3)`` per joint, ``(..., n, 3)``."""
        axes = links[..., 1:, :3, 2]
        return axes, cross(axes, point[..., np.newaxis, :] - links[..., 1:, :3, 3])

    def jacobian(self, q: Array) -> Array:
        """Return the geometric Jacobian ``(..., 6, n)`` of the tool point."""
        links = self.links(q)
        return self.jacobian_of(links, self.tool_frame(links)[..., :3, 3])

    def jacobian_of(self, links: Array, point: Array) -> Array:
        """Return the Jacobian ``(..., 6, n)`` of ``point`` ``(..., 3)`` [m] of the last link."""
        axes, moves = self.columns(links, point)
        return np.swapaxes(np.concatenate([moves, axes], axis=-1), -1, -2)


def cross(a: Array, b: Array) -> Array:
    """Return cross products ``(..., 3)``, bitwise those of numpy in a third of its time."""
    (a0, a1, a2), (b0, b1, b2) = np.moveaxis(a, -1, 0), np.moveaxis(b, -1, 0)
    return np.stack([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], axis=-1)


def placed(xyz: Array, rpy: Array) -> Array:
    """Return the transform ``(4, 4)`` of URDF's ``origin``: turn about fixed x, y, z, then move.

    Args:
        xyz: ``(3,)`` [m].
        rpy: ``(3,)`` roll, pitch, yaw [rad].
    """
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy), np.sin(rpy)
    frame = np.eye(4)
    frame[:3, :3] = [
        [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
        [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
        [-sp, cp * sr, cp * cr],
    ]
    frame[:3, 3] = xyz
    return frame


def dh_step(a: float, alpha: float, d: float) -> Array:
    """Return the fixed part Tz(d) Tx(a) Rx(alpha) ``(4, 4)`` of a Denavit-Hartenberg row."""
    c, s = np.cos(alpha), np.sin(alpha)
    return np.array([[1, 0, 0, a], [0, c, -s, 0], [0, s, c, d], [0, 0, 0, 1]], dtype=np.float64)


def axis_frame(axis: Array) -> Array:
    """Return a rotation ``(4, 4)`` whose z axis is the unit vector ``axis`` ``(3,)``."""
    frame = np.eye(4)
    if np.array_equal(axis, [0.0, 0.0, 1.0]):
        return frame
    aside = np.eye(3)[int(np.argmin(np.abs(axis)))]
    x = np.cross(aside, axis)
    x /= np.linalg.norm(x)
    frame[:3, :3] = np.stack([x, np.cross(axis, x), axis], axis=1)
    return frame


@dataclass(frozen=True)
class IkSolver:
    """Solver for one chain.

    Attributes:
        chain: geometry.
        home, lower, upper: ``(n,)`` preferred pose and limits [rad].
    """

    chain: Chain
    home: Array
    lower: Array
    upper: Array

    def solve(self, position: Array, rotation: Array) -> Array:
        """Return joint positions ``(..., n)`` [rad]; NaN where nothing was found.

        Args:
            position: ``(..., 3)`` tool point [m].
            rotation: ``(..., 3, 3)`` tool rotation.
        """
        points, turns = position.reshape(-1, 3), rotation.reshape(-1, 3, 3)
        answer = np.full((len(points), len(self.home)), np.nan)
        sound = np.isfinite(points).all(axis=1) & np.isfinite(turns).all(axis=(1, 2))
        if sound.any():
            answer[sound] = self._lead(points[sound], turns[sound])
        return answer.reshape(*position.shape[:-1], len(self.home))

    def differential_ik(self, q: Array) -> Array:
        """Return joint velocities ``(..., n, 6)`` per tool twist along the answers; see Arm."""
        flat = q.reshape(-1, q.shape[-1])
        system, _ = self._system(flat, self.chain.links(flat))
        unit = np.broadcast_to(np.eye(q.shape[-1])[:, :6], (len(flat), q.shape[-1], 6))
        return np.asarray(np.linalg.solve(system, unit).reshape(*q.shape, 6), dtype=np.float64)

    def _lead(self, points: Array, turns: Array) -> Array:
        """Follow the pose from home to the wanted ones, then converge."""
        start = self.chain.tool_frame(self.chain.links(self.home))
        way = points - start[:3, 3]
        turn = _rotations().from_matrix(turns @ start[:3, :3].T).as_rotvec()
        q = np.tile(self.home, (len(points), 1))
        for leg in range(1, LEGS + 1):
            share = leg / LEGS
            there = start[:3, 3] + share * way
            turned = _rotations().from_rotvec(share * turn).as_matrix() @ start[:3, :3]
            for _ in range(STEPS_PER_LEG):
                q, _ = self._step(q, there, turned)
        return self._converge(q, points, turns)

    def _converge(self, q: Array, points: Array, turns: Array) -> Array:
        """Step every row until its error is gone; rows that do not get there become NaN."""
        answer = np.full_like(q, np.nan)
        rows = np.arange(len(q))
        for _ in range(MAX_LAST_STEPS):
            moved, error = self._step(q, points[rows], turns[rows])
            done = error <= CONVERGED
            answer[rows[done]] = moved[done]
            rows, q = rows[~done], moved[~done]
            if len(rows) == 0:
                break
        return answer

    def _step(self, q: Array, points: Array, turns: Array) -> tuple[Array, Array]:
        """Return ``(M, n)`` joints after one damped Newton step, and the errors before it."""
        links = self.chain.links(q)
        system, wanted = self._system(q, links)
        frame = self.chain.tool_frame(links)
        off = _rotations().from_matrix(turns @ np.swapaxes(frame[:, :3, :3], 1, 2)).as_rotvec()
        wanted[:, :3], wanted[:, 3:6] = points - frame[:, :3, 3], off
        error = np.abs(wanted).max(axis=1)
        damping = DAMPING * np.minimum(1.0, error) ** 2
        across = np.swapaxes(system, 1, 2)
        square = across @ system + damping[:, np.newaxis, np.newaxis] * np.eye(q.shape[1])
        step = _solved(square, (across @ wanted[..., np.newaxis])[..., 0])
        longest = np.abs(step).max(axis=1, keepdims=True)
        return q + step * np.minimum(1.0, MAX_STEP / np.maximum(longest, 1e-300)), error

    def _system(self, q: Array, links: Array) -> tuple[Array, Array]:
        """Return Newton's matrix ``(M, n, n)`` and right side ``(M, n)`` with a pose error of 0.

        ``links`` are the frames of ``q``.

        Rows 0 to 5 are the Jacobian J; the others, Z^T (D - S), keep the cost least: Z spans the
        null space of J, D is the cost's second derivative and S that of the pose, weighted with
        the Lagrange multipliers.
        """
        axes, moves = Chain.columns(links, self.chain.tool_frame(links)[..., :3, 3])
        across = np.concatenate([moves, axes], axis=-1)
        wanted = np.zeros_like(q)
        if q.shape[1] == 6:
            return np.swapaxes(across, 1, 2), wanted
        slope, bend = self._cost(q)
        null = np.linalg.qr(across, mode="complete").Q[:, :, 6:]
        square = np.swapaxes(across, 1, 2) @ across + 1e-12 * np.eye(6)
        weights = _solved(square, (slope[:, np.newaxis, :] @ across)[:, 0])
        curve = bend[:, np.newaxis, :] * np.eye(q.shape[1]) - _second(axes, moves, weights)
        flat = np.swapaxes(null, 1, 2)
        wanted[:, 6:] = -(flat @ slope[..., np.newaxis])[..., 0]
        return np.concatenate([np.swapaxes(across, 1, 2), flat @ curve], axis=1), wanted

    def _cost(self, q: Array) -> tuple[Array, Array]:
        """Return first and second derivative of the cost per joint, ``(M, n)`` each."""
        away = q - self.home
        room = np.where(away > 0.0, self.upper - self.home, self.home - self.lower)
        used = np.minimum(np.abs(away) / room, 2.0)  # beyond: still steep, never overflows
        slope = away + LIMIT_SLOPE * room * np.sign(away) * used**LIMIT_POWER
        return slope, 1.0 + LIMIT_SLOPE * LIMIT_POWER * used ** (LIMIT_POWER - 1)


def _second(axes: Array, moves: Array, weights: Array) -> Array:
    """Return S ``(M, n, n)``: S[i, j] = weights . dJ[:, i] / dq_j, exactly."""
    linear, angular = weights[:, np.newaxis, :3], weights[:, np.newaxis, 3:]
    bend = np.triu(cross(linear, axes) @ np.swapaxes(moves, 1, 2))
    twist = np.triu(cross(angular, axes) @ np.swapaxes(axes, 1, 2), 1)
    above = np.triu(bend, 1)
    return np.asarray(bend + np.swapaxes(above, 1, 2) + np.swapaxes(twist, 1, 2))


def _rotations() -> Any:
    """Return scipy's class: its import takes 0.3 s, and arms with a closed form need none."""
    from scipy.spatial.transform import Rotation

    return Rotation


def _solved(matrices: Array, right: Array) -> Array:
    """Solve ``(M, k, k)`` systems for ``(M, k)``; a singular one moves nothing.

    LAPACK refuses the whole batch for one singular matrix: a trace of the unit matrix is added.
    """
    scale = np.trace(matrices, axis1=1, axis2=2)[:, np.newaxis, np.newaxis]
    safe = matrices + 1e-14 * (1.0 + scale) * np.eye(matrices.shape[-1])
    return np.asarray(np.linalg.solve(safe, right[..., np.newaxis])[..., 0])
