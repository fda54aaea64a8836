"""Serial chains of revolute joints: link frames, tool pose and Jacobian, vectorised."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array


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
        return axes, np.cross(axes, point[..., np.newaxis, :] - links[..., 1:, :3, 3])

    def jacobian(self, q: Array) -> Array:
        """Return the geometric Jacobian ``(..., 6, n)`` of the tool point."""
        links = self.links(q)
        return self.jacobian_of(links, self.tool_frame(links)[..., :3, 3])

    def jacobian_of(self, links: Array, point: Array) -> Array:
        """Return the geometric Jacobian ``(..., 6, n)`` of ``point`` ``(..., 3)`` [m].

        Args:
            links: frames of :meth:`links`.
            point: moves with the last of them.
        """
        axes, moves = self.columns(links, point)
        return np.swapaxes(np.concatenate([moves, axes], axis=-1), -1, -2)


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
