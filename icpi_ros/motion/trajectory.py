"""Joint trajectories as ros2_control's joint_trajectory_controller understands them.

Every point has position, velocity and acceleration; between points the controller follows a
quintic polynomial (ros2_controllers, joint_trajectory_controller user doc, "Interpolation").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.types import Array, Indices


@dataclass(frozen=True)
class JointTrajectory:
    """Points of a joint motion that starts and ends at rest.

    Attributes:
        joints: names, ``n`` of them.
        times: ``(K,)`` float64 [s], first 0, strictly increasing.
        positions: ``(K, n)`` float64 [rad].
        velocities: ``(K, n)`` float64 [rad/s]; the last row is exactly zero.
        accelerations: ``(K, n)`` float64 [rad/s^2].
    """

    joints: tuple[str, ...]
    times: Array
    positions: Array
    velocities: Array
    accelerations: Array

    @property
    def duration(self) -> float:
        """Time of the last point [s]."""
        return float(self.times[-1])

    def sample(self, times: Array) -> tuple[Array, Array, Array]:
        """Interpolate at ``times`` ``(S,)`` [s]; before the start and after the end: held.

        Returns:
            Positions [rad], velocities [rad/s] and accelerations [rad/s^2], each ``(S, n)``.
        """
        index = np.clip(
            np.searchsorted(self.times, times, side="right") - 1, 0, len(self.times) - 2
        )
        begin, end = self.times[index], self.times[index + 1]
        h = (end - begin)[:, np.newaxis]
        s = np.clip((times - begin)[:, np.newaxis] / h, 0.0, 1.0)
        c = self._coefficients(index, h)
        q = c[0] + s * (c[1] + s * (c[2] + s * (c[3] + s * (c[4] + s * c[5]))))
        qd = (c[1] + s * (2 * c[2] + s * (3 * c[3] + s * (4 * c[4] + s * 5 * c[5])))) / h
        qdd = (2 * c[2] + s * (6 * c[3] + s * (12 * c[4] + s * 20 * c[5]))) / h**2
        outside = (times < self.times[0]) | (times > self.times[-1])
        qd[outside] = 0.0
        qdd[outside] = 0.0
        return q, qd, qdd

    def _coefficients(self, index: Indices, h: Array) -> tuple[Array, ...]:
        """Quintic Hermite coefficients in s = (t - t_i) / h for segments ``index``."""
        p0, p1 = self.positions[index], self.positions[index + 1]
        v0, v1 = self.velocities[index] * h, self.velocities[index + 1] * h
        a0, a1 = self.accelerations[index] * h**2, self.accelerations[index + 1] * h**2
        d = p1 - p0
        c3 = 10 * d - 6 * v0 - 4 * v1 - 1.5 * a0 + 0.5 * a1
        c4 = -15 * d + 8 * v0 + 7 * v1 + 1.5 * a0 - a1
        c5 = 6 * d - 3 * (v0 + v1) - 0.5 * (a0 - a1)
        return p0, v0, 0.5 * a0, c3, c4, c5


@dataclass(frozen=True)
class Motion:
    """What the arm does in one trial: reach ``ready`` clear of the object, approach, stroke.

    Attributes:
        ready: ``(n,)`` [rad] pose above the scene, reached first and slowly.
        stroke: the dynamic part; it starts and ends at rest.
    """

    ready: Array
    stroke: JointTrajectory

    @property
    def start(self) -> Array:
        """Joint positions ``(n,)`` [rad] at which the stroke starts."""
        return np.asarray(self.stroke.positions[0])
