"""Joint trajectories as ros2_control's joint_trajectory_controller understands them.

Every point has position, velocity and acceleration; between points the controller follows a
quintic polynomial (ros2_controllers, joint_trajectory_controller user doc, "Interpolation").
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.types import Array, Indices


@dataclass(frozen=True)
class PathPoint:
    """State of a motion at one instant: ``position`` [rad], ``velocity`` [rad/s], each ``(n,)``."""

    position: Array
    velocity: Array


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
        index = self.times[1:-1].searchsorted(times, side="right")
        begin = self.times[index]
        h = (self.times[index + 1] - begin)[:, np.newaxis]
        s = np.clip((times - begin)[:, np.newaxis] / h, 0.0, 1.0)
        c = self._pieces(index)
        outside = (times < self.times[0]) | (times > self.times[-1])
        if outside.any():
            c[:, outside] = 0.0
            c[0, outside] = self.positions[np.where(times < self.times[0], 0, -1)[outside]]
        q, qd = TrajectoryBatch.follow(s, c, h)
        qdd = (2 * c[2] + s * (6 * c[3] + s * (12 * c[4] + s * 20 * c[5]))) / h**2
        qdd[outside] = 0.0
        return q, qd, qdd

    def _pieces(self, index: Indices) -> Array:
        """Return coefficients of the segments ``index`` ``(S,)``, ``(6, S, n)``, free to write."""
        table = self.__dict__.get("_table")
        if table is None and len(index) < len(self.times):  # fewer than there are in the table
            return _quintics(
                np.diff(self.times)[index],
                *(
                    part
                    for rows in (self.positions, self.velocities, self.accelerations)
                    for part in (rows[:-1][index], rows[1:][index])
                ),
            )
        return (self._coefficients() if table is None else table).take(index, axis=1)

    def _coefficients(self) -> Array:
        """Return coefficients of every segment, ``(6, K - 1, n)``.

        They are kept where nothing can change any more, as in what the gate has passed.
        """
        table = self.__dict__.get("_table")
        if table is None:
            parts = (self.positions, self.velocities, self.accelerations)
            ends = (part for rows in parts for part in (rows[:-1], rows[1:]))
            table = _quintics(np.diff(self.times), *ends)
            if not any(
                rows.flags.writeable or rows.base is not None for rows in (self.times, *parts)
            ):
                table.flags.writeable = False
                self.__dict__["_table"] = table
        return table

    def at(self, time: float) -> PathPoint:
        """Return the state of the motion at ``time`` [s]."""
        q, qd, _ = self.sample(np.array([time]))
        return PathPoint(q[0], qd[0])

    def without_start(self) -> JointTrajectory:
        """Return it without its first point, from where it is joined; no times change."""
        return JointTrajectory(
            self.joints,
            self.times[1:],
            self.positions[1:],
            self.velocities[1:],
            self.accelerations[1:],
        )

    def quintics(self) -> tuple[Array, Array]:
        """Return the polynomials that the controller follows between the points.

        Returns:
            Coefficients ``(6, K - 1, n)`` [rad], ascending powers of s in [0, 1], and the
            duration of every segment ``(K - 1,)`` [s].
        """
        return self._coefficients(), np.diff(self.times)


@dataclass(frozen=True)
class TrajectoryBatch:
    """``N`` joint trajectories of ``K`` points each, interpolated together.

    Attributes:
        joints: names, ``n`` of them.
        times: ``(N, K)`` float64 [s], each row first 0 and strictly increasing.
        positions, velocities, accelerations: ``(N, K, n)`` float64, as in a single trajectory.
    """

    joints: tuple[str, ...]
    times: Array
    positions: Array
    velocities: Array
    accelerations: Array

    def __len__(self) -> int:
        return len(self.times)

    def __getitem__(self, row: int) -> JointTrajectory:
        return JointTrajectory(
            self.joints,
            self.times[row],
            self.positions[row],
            self.velocities[row],
            self.accelerations[row],
        )

    def rows(self, rows: Indices | slice) -> TrajectoryBatch:
        """Return some of them as a batch."""
        return TrajectoryBatch(
            self.joints,
            self.times[rows],
            self.positions[rows],
            self.velocities[rows],
            self.accelerations[rows],
        )

    @property
    def durations(self) -> Array:
        """``(N,)`` [s]."""
        return np.asarray(self.times[:, -1])

    def sample(self, times: Array) -> tuple[Array, Array]:
        """Return positions [rad] and velocities [rad/s] at ``times`` ``(S,)``, ``(N, S, n)``.

        Bitwise what :meth:`JointTrajectory.sample` gives for each of them.
        """
        return self.follow(*self.pieces(times))

    def pieces(self, times: Array) -> tuple[Array, Array, Array]:
        """Return s in [0, 1] and quintic coefficients of the segments at ``times``, and widths.

        Hermite coefficients in s = (t - t_i) / h; shapes ``(N, S, 1)``, ``(6, N, S, n)``,
        ``(N, S, 1)``.  Outside the trajectory the segment is a constant.
        """
        inner = self.times[:, np.newaxis, 1:-1] <= times[np.newaxis, :, np.newaxis]
        index = inner.sum(axis=2)
        row = np.arange(len(self.times))[:, np.newaxis]
        begin, end = self.times[row, index], self.times[row, index + 1]
        h = (end - begin)[..., np.newaxis]
        s = np.clip((times - begin)[..., np.newaxis] / h, 0.0, 1.0)
        outside = (times < self.times[:, :1]) | (times > self.times[:, -1:])
        found = self._coefficients()[:, row, index]
        if outside.any():
            hold = np.where(times < self.times[:, :1], 0, -1)[outside]
            found[:, outside] = 0.0
            found[0, outside] = self.positions[np.nonzero(outside)[0], hold]
        return s, found, h

    @staticmethod
    def follow(s: Array, c: Array, h: Array) -> tuple[Array, Array]:
        """Evaluate position and velocity of quintic pieces."""
        q = c[0] + s * (c[1] + s * (c[2] + s * (c[3] + s * (c[4] + s * c[5]))))
        qd = (c[1] + s * (2 * c[2] + s * (3 * c[3] + s * (4 * c[4] + s * 5 * c[5])))) / h
        return q, qd

    def _coefficients(self) -> Array:
        """Return coefficients of every segment, ``(6, N, K - 1, n)``."""
        rows = (self.positions, self.velocities, self.accelerations)
        ends = (part for values in rows for part in (values[:, :-1], values[:, 1:]))
        return _quintics(np.diff(self.times, axis=1), *ends)


def _quintics(
    widths: Array, p0: Array, p1: Array, v0: Array, v1: Array, a0: Array, a1: Array
) -> Array:
    """Return ascending coefficients ``(6, ..., n)`` of segments, in powers of s in [0, 1].

    Args:
        widths: ``(...)`` of the segments [s].
        p0: ``(..., n)`` positions at their begin [rad].
        p1: the same at their end.
        v0: velocities at their begin [rad/s].
        v1: the same at their end.
        a0: accelerations at their begin [rad/s^2].
        a1: the same at their end.
    """
    h = widths[..., np.newaxis]
    v0, v1 = v0 * h, v1 * h
    a0, a1 = a0 * h**2, a1 * h**2
    d = p1 - p0
    c = np.empty((6, *p0.shape))
    c[0], c[1], c[2] = p0, v0, 0.5 * a0
    c[3] = 10 * d - 6 * v0 - 4 * v1 - 1.5 * a0 + 0.5 * a1
    c[4] = -15 * d + 8 * v0 + 7 * v1 + 1.5 * a0 - a1
    c[5] = 6 * d - 3 * (v0 + v1) - 0.5 * (a0 - a1)
    return c


def slowed(trajectory: JointTrajectory, scale: float) -> JointTrajectory:
    """Return the same path at ``scale`` times the speed, derivatives exact.

    Args:
        trajectory: any motion.
        scale: 0 (exclusive) to 1; at 0.5 it takes twice as long.

    Raises:
        InvalidValue: ``scale`` is not in that range.
    """
    if not 0.0 < scale <= 1.0:
        text = f"speed scale = {scale} is not allowed: above 0, at most 1"
        raise InvalidValue(
            Refusal(text, Kind.OUT_OF_BOUNDS, "speed scale", value=scale, limit=(0.0, 1.0))
        )
    return JointTrajectory(
        trajectory.joints,
        trajectory.times / scale,
        trajectory.positions.copy(),
        trajectory.velocities * scale,
        trajectory.accelerations * scale**2,
    )


@dataclass(frozen=True)
class Motion:
    """Motion of the arm in one trial: reach ``ready`` clear of the object, approach, dynamic part.

    Attributes:
        ready: ``(n,)`` pose above the scene [rad], reached first and slowly.
        trajectory: the dynamic part; it starts and ends at rest.
        release: time in it at which the gripper lets go [s]; None = it holds nothing.
    """

    ready: Array
    trajectory: JointTrajectory
    release: float | None = None

    @property
    def start(self) -> Array:
        """Joint positions ``(n,)`` [rad] at which the dynamic part starts."""
        return np.asarray(self.trajectory.positions[0])

    def slowed(self, scale: float) -> Motion:
        """Return it with its dynamic part slowed, let go at the same place of the path.

        Raises:
            InvalidValue: as :func:`slowed`.
        """
        slow = slowed(self.trajectory, scale)
        release = None if self.release is None else self.release / scale
        return Motion(self.ready, slow, release)
