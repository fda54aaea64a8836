"""Family of motions made from demonstrations, with parameters that mean something.

The speed has a profile of its own: a raised cosine up to the place of the demonstrated peak, and
one down to the end.  Libraries of time parameterisation do not fit: toppra makes the quickest
timing within limits, with a peak that nobody chose, and ruckig goes from state to state, not along
a path; harder braking would not help either, since joint speeds at the peak are what bounds it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, MotionRefused, Refusal
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.motion.demonstration import parameters as names
from icpi_ros.motion.demonstration.demonstration import (
    Demonstration,
    demonstration_of,
    path_spline,
)
from icpi_ros.motion.demonstration.recording import JointRecording
from icpi_ros.motion.demonstration.shaping import (
    UP,
    ToolChange,
    followed,
    level_direction,
    rotation_matrix,
    screwed,
)
from icpi_ros.motion.trajectory import TrajectoryBatch
from icpi_ros.robots.base import Arm

GRID = 97
"""Places at which a changed path is made; a quintic spline goes through them."""
POINTS_PER_RAMP = 32
"""Trajectory points of each speed ramp."""
BLOCK = 128
"""Motions that are made at once."""
BRAKE_SHARE = 0.6
"""Share of the acceleration limits that straight braking uses at its hardest moment."""
READY_BACK, READY_UP = 0.12, 0.15
"""Distance of the ready pose behind and above the start [m]."""
READY_SHARES = (1.0, 0.7, 0.4, 0.2)
"""Shares of it that are tried; the start itself is taken where the arm reaches none."""
VERSION = 1
"""Raised whenever the same recordings make other motions: stored runs no longer fit."""


@dataclass(frozen=True)
class DemonstratedMotion:
    """Motions near a demonstrated one, over a box of parameters.

    Attributes:
        recordings: that it was made from.
        shown: their geometry.
        arm: that was shown the motion.
        space: parameters theta.
    """

    recordings: tuple[JointRecording, ...]
    shown: Demonstration
    arm: Arm
    space: ParameterSpace

    @classmethod
    def of(
        cls,
        recordings: Sequence[JointRecording],
        arm: Arm,
        parameters: Mapping[str, tuple[float, float] | None],
    ) -> DemonstratedMotion:
        """Return the family of some recordings.

        Args:
            recordings: one or several of the same motion.
            arm: whose joints were recorded.
            parameters: bounds by name, see :func:`on_offer`; None = the default bounds.

        Raises:
            InvalidValue: see :func:`demonstration_of` and :func:`space_of`.
            UnknownName: no such parameter.
        """
        shown = demonstration_of(recordings, arm)
        return cls(tuple(recordings), shown, arm, names.space_of(shown, parameters))

    @property
    def demonstrated(self) -> Array:
        """Theta ``(d,)`` that is nearest to the demonstration; the first trial."""
        values = [names.neutral(self.shown, name) for name in self.space.names]
        return self.space.project(np.array(values))[0]

    def hash_data(self) -> bytes:
        """Return a hash of all that decides the motions: recordings, parameters, this version."""
        digest = hashlib.sha256(f"demonstrated motion {VERSION} {self.shown.joints}".encode())
        for recording in self.recordings:
            for values in (recording.times, recording.positions):
                digest.update(repr(values.shape).encode())
                digest.update(np.ascontiguousarray(values, dtype="<f8").tobytes())
        for p in self.space.parameters:
            digest.update(repr((p.name, p.unit, float(p.lower), float(p.upper))).encode())
        return digest.digest()

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """Return the motion of ``arm`` for each theta ``(N, d)``; they start and end at rest.

        Raises:
            MotionRefused: a motion leaves the arm's reach.
            InvalidValue: the arm has other joints than the one that was shown the motion.
        """
        self._check_joints(arm)
        blocks = [
            self._block(thetas[at : at + BLOCK], arm) for at in range(0, max(len(thetas), 1), BLOCK)
        ]
        times, q, qd, qdd = (np.concatenate(parts) for parts in zip(*blocks, strict=True))
        return TrajectoryBatch(arm.joints, times, q, qd, qdd)

    def ready(self, theta: Array, arm: Arm) -> Array:
        """Return the pose ``(n,)`` [rad] behind and above the start, as far as the arm reaches."""
        start = self.trajectories(theta[np.newaxis], arm).positions[0, 0]
        change = self._change(theta[np.newaxis])
        point, rotation = arm.tool_pose(start)
        back = -READY_BACK * change.turn[0] @ self._direction + READY_UP * UP
        limits = arm.limits
        for share in READY_SHARES:
            there = point + share * back
            q = followed(arm, start, there, rotation)
            inside = (q >= limits.lower).all() and (q <= limits.upper).all()
            box = (there >= limits.workspace_lower).all() and (
                there <= limits.workspace_upper
            ).all()
            if inside and box:
                return q
        return np.asarray(start)

    def _check_joints(self, arm: Arm) -> None:
        own = self.shown.joints
        same = len(arm.joints) == len(own)
        if not (same and all(a.endswith(b) for a, b in zip(arm.joints, own, strict=True))):
            text = (
                f"the motion was demonstrated with arm {self.shown.arm} and its joints "
                f"{', '.join(own)}: arm {arm.name} has others"
            )
            raise InvalidValue(Refusal(text, Kind.WRONG_JOINTS, "joints", limit=own))

    @cached_property
    def _path(self) -> Any:
        return path_spline(self.shown.stations, self.shown.positions)

    @cached_property
    def _modes(self) -> Any:
        return path_spline(self.shown.stations, np.moveaxis(self.shown.components, 0, 1))

    @cached_property
    def _direction(self) -> Array:
        """Level direction ``(3,)`` of the tool at the peak, as demonstrated."""
        places = np.array([0.0, self.shown.peak])
        (first, q), (_, slope) = self._path(places), self._path(places, 1)
        chord = self.arm.tool_pose(q)[0] - self.arm.tool_pose(first)[0]
        return level_direction(self.arm, q, slope, chord)

    def _value(self, thetas: Array, name: str) -> Array:
        """Return a parameter of every theta ``(N,)``; neutral where it is none."""
        if name in self.space.names:
            return np.asarray(thetas[:, self.space.names.index(name)])
        return np.full(len(thetas), names.neutral(self.shown, name))

    def _change(self, thetas: Array) -> ToolChange:
        heading, elevation, lateral = (
            self._value(thetas, name)[:, np.newaxis]
            for name in (names.HEADING, names.ELEVATION, names.LATERAL)
        )
        along = self._direction
        about = rotation_matrix(heading * UP)
        turn = about @ rotation_matrix(elevation * np.cross(along, UP))
        left = about @ np.cross(UP, along)
        offsets = np.stack([self._value(thetas, name) for name in names.OFFSETS], axis=1)
        return ToolChange(turn, self._value(thetas, names.REACH), lateral * left + offsets)

    def _block(self, thetas: Array, arm: Arm) -> tuple[Array, Array, Array, Array]:
        """Return times, positions, velocities and accelerations of some motions."""
        ends = self._ends(thetas, arm)
        unit = np.linspace(0.0, 1.0, GRID)
        q = self._positions(thetas, ends[:, np.newaxis] * unit, arm)
        spline = path_spline(unit, np.moveaxis(q, 0, 1))
        speed = self._value(thetas, names.SPEED)
        shares = self.shown.peak / ends
        rows = [
            _timed(arm, type(spline)(spline.t, spline.c[:, row], spline.k), shares[row], speed[row])
            for row in range(len(thetas))
        ]
        times, q, qd, qdd = (np.stack(parts) for parts in zip(*rows, strict=True))
        return times, q, qd, qdd

    def _ends(self, thetas: Array, arm: Arm) -> Array:
        """Return the stations ``(N,)`` at which the motions end [m].

        Behind the peak the path is as long as demonstrated, or longer if braking needs more.
        """
        shown, reach = self.shown, self._value(thetas, names.REACH)
        slope = self._path(shown.peak, 1)
        pace = float(np.linalg.norm(arm.jacobian(self._path(shown.peak))[:3] @ slope))
        along = self._value(thetas, names.SPEED) / (reach * pace)
        behind = np.linspace(shown.peak, shown.length, 16)
        steepest = np.abs(self._path(behind, 1)) / arm.limits.acceleration
        by_joints = BRAKE_SHARE * 2.0 / np.pi / float(steepest.max())
        brake = min(by_joints, arm.strike_deceleration) / reach
        return np.asarray(
            shown.peak + np.maximum(shown.length - shown.peak, 0.5 * along**2 / brake)
        )

    def _positions(self, thetas: Array, stations: Array, arm: Arm) -> Array:
        """Return joints ``(N, M, n)`` at ``stations`` ``(N, M)`` of the changed paths [rad]."""
        end = self.shown.length
        inside, beyond = np.minimum(stations, end), np.maximum(stations - end, 0.0)
        ends = np.full((len(thetas), 1), end)
        q, (last, slope) = self._bare(thetas, inside), (self._bare(thetas, ends, d) for d in (0, 1))
        longer, tool = beyond.any(), self._changes_tool
        if longer or tool:
            points, rotations = arm.tool_pose(q)
            twist = (arm.jacobian(last[:, 0]) @ slope[:, 0, :, np.newaxis])[..., 0]
            further = screwed(*arm.tool_pose(last[:, 0]), twist, beyond)
            out = beyond > 0.0
            points = np.where(out[..., np.newaxis], further[0], points)
            rotations = np.where(out[..., np.newaxis, np.newaxis], further[1], rotations)
            wanted = self._change(thetas).of(points, rotations)
            q = followed(arm, q + beyond[..., np.newaxis] * slope, *wanted)
            self._check_reached(thetas, q, arm)
        for column, joint in enumerate(self.shown.joints):
            offset = self._value(thetas, joint)[:, np.newaxis]
            q[..., column] += offset * _step(stations / self.shown.peak)
        return q

    def _bare(self, thetas: Array, stations: Array, order: int = 0) -> Array:
        """Return the demonstrated joints ``(N, M, n)``, or a derivative, with components added."""
        q = np.array(self._path(stations, order))
        if len(self.shown.components):
            modes = self._modes(stations, order)
            for mode in range(len(self.shown.components)):
                size = self._value(thetas, f"{names.COMPONENT}{mode + 1}")
                q += size[:, np.newaxis, np.newaxis] * modes[..., mode, :]
        return q

    @property
    def _changes_tool(self) -> bool:
        changing = {names.HEADING, names.ELEVATION, names.REACH, names.LATERAL, *names.OFFSETS}
        return not changing.isdisjoint(self.space.names)

    def _check_reached(self, thetas: Array, q: Array, arm: Arm) -> None:
        lost = ~np.isfinite(q).all(axis=(1, 2))
        if lost.any():
            theta = thetas[int(np.argmax(lost))]
            where = self.space.describe(theta)
            text = f"the tool path leaves the reach of {arm.name} with {where}"
            raise MotionRefused(Refusal(text, Kind.OUT_OF_REACH, "tool path"))


def _timed(arm: Arm, path: Any, peak: float, speed: float) -> tuple[Array, Array, Array, Array]:
    """Return times, positions, velocities and accelerations ``(K, ..)`` of one path.

    Args:
        arm: that moves.
        path: BSpline of the joints over the share of the length.
        peak: share at which the tool has its peak speed.
        speed: of it [m/s].
    """
    first, second = path.derivative(1), path.derivative(2)
    rate = speed / float(np.linalg.norm(arm.jacobian(path(peak))[:3] @ first(peak)))
    up, down = 2.0 * peak / rate, 2.0 * (1.0 - peak) / rate
    u = np.linspace(0.0, 1.0, POINTS_PER_RAMP + 1)
    wave, slope = 0.5 * (1.0 - np.cos(np.pi * u)), 0.5 * np.pi * np.sin(np.pi * u)
    slope[-1] = 0.0
    covered = u - np.sin(np.pi * u) / np.pi
    half = slice(1, None)
    times = np.concatenate([up * u, up + down * u[half]])
    place = np.concatenate([peak * covered, peak + (1.0 - peak) * (2.0 * u - covered)[half]])
    pace = rate * np.concatenate([wave, 1.0 - wave[half]])[:, np.newaxis]
    change = rate * np.concatenate([slope / up, -slope[half] / down])[:, np.newaxis]
    q, qd = path(place), first(place) * pace
    qdd = second(place) * pace**2 + first(place) * change
    qd[[0, -1]] = 0.0
    qdd[[0, -1]] = 0.0
    return times, q, qd, qdd


def _step(share: Array) -> Array:
    """Return a smooth step ``(..)``: 0 up to 0, 1 from 1 on, without speed at either."""
    u = np.clip(share, 0.0, 1.0)
    return np.asarray(u**3 * (10.0 - 15.0 * u + 6.0 * u**2))
