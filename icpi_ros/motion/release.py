"""Release: the moment of a motion at which a gripper lets go, and how the tool moves then."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Any

import numpy as np

from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import Array
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm

STANDS = 1e-3
"""Speed of the tool below which it goes nowhere [m/s]."""


@dataclass(frozen=True)
class Release:
    """Moment at which a gripper lets go of what it holds.

    Attributes:
        time: since the start of the motion [s].
        point: ``(3,)`` of the tool point then [m], frame ``base``.
        velocity: ``(3,)`` of the tool point then [m/s], frame ``base``.
    """

    time: float
    point: Array
    velocity: Array

    @property
    def speed(self) -> float:
        """Speed of the tool point [m/s]."""
        return float(np.linalg.norm(self.velocity))

    @property
    def reach(self) -> float:
        """Horizontal distance of the tool point from the base [m]."""
        return float(np.hypot(self.point[0], self.point[1]))

    @property
    def elevation(self) -> float:
        """Angle of the velocity above the horizontal [rad]."""
        x, y, z = self.velocity.tolist()
        return math.atan2(z, math.hypot(x, y))

    @property
    def text(self) -> str:
        """The release as a person is shown it, without what lets go."""
        where = f"{self.reach:.2f} m from the base, {self.point[2]:.2f} m high"
        if self.speed < STANDS:
            return f"at {self.time:.3f} s, tool at rest, {where}"
        degrees = round(math.degrees(self.elevation))
        way = (
            "level"
            if degrees == 0
            else f"going {'up' if degrees > 0 else 'down'} {abs(degrees)} deg"
        )
        return f"at {self.time:.3f} s, tool at {self.speed:.2f} m/s, {where}, {way}"


def release_at(trajectory: JointTrajectory, time: float, arm: Arm) -> Release:
    """Return the release of ``arm`` at ``time`` [s] of a motion."""
    here = trajectory.at(time)
    point = arm.tool_pose(here.position)[0]
    velocity = (arm.jacobian(here.position) @ here.velocity)[:3]
    return Release(time, point, velocity)


def checked_time(release: Any, duration: float) -> float | None:
    """Return a release as checked: None, or a finite time inside a motion of ``duration`` [s].

    Raises:
        MotionRefused: it is no such time.
    """
    if release is None:
        return None
    limit = (0.0, duration)
    if isinstance(release, bool) or not isinstance(release, Real):
        text = f"the time of the release is no number: {release!r:.60}"
        raise MotionRefused(Refusal(text, Kind.FORM, "release", limit=limit, unit="s"))
    time = float(release)
    if not math.isfinite(time):
        text = f"the time of the release is not finite: {time}"
        raise MotionRefused(Refusal(text, Kind.NOT_FINITE, "release", "", time, limit, "s"))
    if not 0.0 <= time <= duration:
        text = f"release at {time:.6g} s is outside of the motion: allowed 0 to {duration:.6g} s"
        raise MotionRefused(Refusal(text, Kind.OUT_OF_BOUNDS, "release", "", time, limit, "s"))
    return time


def too_soon(release: float | None, latency: float) -> Refusal | None:
    """Return why a gripper cannot let go so soon; None = it can, or nothing is let go.

    Args:
        release: of the motion [s].
        latency: time from the command until the object is free [s].
    """
    if release is None or release >= latency:
        return None
    text = (
        f"release at {release:.4g} s is too soon: the gripper needs {latency:g} s "
        "(gripper_latency), and is told nothing before the motion"
    )
    limit = (latency, math.inf)
    return Refusal(text, Kind.NO_GRIPPER, "release", "", release, limit, "s")


def declared(release: float | None, holds: bool) -> Refusal | None:
    """Return why a motion may not let go as it does; None = it may.

    Args:
        release: of the motion, time since its start [s]; None = it has none.
        holds: the task declares that its gripper holds something until a release.
    """
    if (release is not None) == holds:
        return None
    if holds:
        text = "the task lets go in its motion, but this motion has no release"
        return Refusal(text, Kind.MISSING, "release", unit="s")
    text = f"release at {release:g} s: the task declares none, its gripper holds nothing"
    return Refusal(text, Kind.UNDECLARED, "release", "", release, None, "s")
