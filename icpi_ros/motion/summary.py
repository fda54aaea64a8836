"""Summary of a motion for the operator who approves it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.types import Array
from icpi_ros.motion.extremes import extremes
from icpi_ros.motion.path_check import grid
from icpi_ros.motion.release import Release, release_at
from icpi_ros.motion.safety import CheckedTrajectory, SafetyGate
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm

CLEARANCE_STEP = 0.01
"""Time between two poses at which the distance of the arm from itself is taken [s]."""


@dataclass(frozen=True)
class Peak:
    """Joint that comes nearest to its limit: ``value`` [rad/s] or [rad/s^2], ``share`` of it."""

    joint: str
    value: float
    share: float


@dataclass(frozen=True)
class MotionSummary:
    """Peaks of one checked motion.

    Attributes:
        duration: [s].
        speed: peak joint speed [rad/s].
        acceleration: peak joint acceleration [rad/s^2].
        tool_speed: peak speed of the tool point [m/s].
        tool_energy: peak kinetic energy of the tool [J].
        tool_height: lowest height of the tool point in frame ``base`` [m].
        floor_distance: smallest distance of any piece that can come down from the plane below
            which nothing goes [m].
        clearance: smallest distance of the arm from itself [m], at most 1.
        nearest: names of the two pieces that come so near.
        release: moment at which the gripper lets go; None = it does not.
    """

    duration: float
    speed: Peak
    acceleration: Peak
    tool_speed: float
    tool_energy: float
    tool_height: float
    floor_distance: float
    clearance: float
    nearest: tuple[str, str]
    release: Release | None = None

    @property
    def release_time(self) -> float | None:
        """Time of the release [s]; None = there is none."""
        return None if self.release is None else self.release.time

    def lines(self) -> tuple[str, ...]:
        """Return the summary as lines of text for a person."""
        lets_go = () if self.release is None else (f"lets go {self.release.text}",)
        return (
            f"duration {self.duration:.2f} s",
            f"joint speed up to {self.speed.value:.2f} rad/s ({self.speed.joint}, "
            f"{self.speed.share:.0%} of its limit)",
            f"joint acceleration up to {self.acceleration.value:.1f} rad/s^2 "
            f"({self.acceleration.joint}, {self.acceleration.share:.0%} of its limit)",
            f"tool speed up to {self.tool_speed:.2f} m/s, energy up to {self.tool_energy:.2f} J",
            f"lowest tool height {self.tool_height:.3f} m, lowest piece "
            f"{self.floor_distance:.3f} m above the lowest plane allowed",
            f"nearest to itself {self.clearance:.3f} m ({self.nearest[0]}, {self.nearest[1]})",
            *lets_go,
        )

    def brief(self) -> str:
        """Return the most important numbers in a few words."""
        return (
            f"{self.duration:.1f} s at {self.speed.share:.0%} of a joint's speed, tool down to "
            f"{self.tool_height:.3f} m, {self.floor_distance:.3f} m above the lowest plane, "
            f"{self.clearance:.3f} m from itself"
        )


def summarise(motion: CheckedTrajectory, gate: SafetyGate) -> MotionSummary:
    """Return the peaks of a motion against the limits of the gate that checked it."""
    trajectory, limits = motion.trajectory, gate.limits
    _, qd, qdd = extremes(trajectory)
    samples = gate.path.samples(trajectory, grid(trajectory))
    sparse = np.linspace(
        0.0, trajectory.duration, int(np.ceil(trajectory.duration / CLEARANCE_STEP)) + 1
    )
    poses = gate.path.samples(trajectory, sparse).links
    clearance, one, other = min(gate.path.geometry.nearest(links) for links in poses)
    tool_speed = float(samples.speed.max())
    moment = motion.release
    return MotionSummary(
        duration=trajectory.duration,
        speed=_peak(trajectory.joints, qd, limits.velocity),
        acceleration=_peak(trajectory.joints, qdd, limits.acceleration),
        tool_speed=tool_speed,
        tool_energy=0.5 * limits.tool_mass * tool_speed**2,
        tool_height=float(samples.point[:, 2].min()),
        floor_distance=float(samples.lowest.min()) - gate.path.floor,
        clearance=clearance,
        nearest=(one, other),
        release=None if moment is None else release_at(trajectory, moment, gate.arm),
    )


def tool_path(trajectory: JointTrajectory, arm: Arm, step: float = 0.01) -> Array:
    """Return the path of the tool point, ``(T, 3)`` [m] in frame ``base``, both ends included.

    Args:
        trajectory: the motion.
        arm: that carries it out.
        step: time between two points at most [s].

    Raises:
        InvalidValue: ``step`` is not positive, or so small that there were 100,000 points.
    """
    if not step * 100_000 >= trajectory.duration:
        text = f"step = {step} s is too small for {trajectory.duration:g} s"
        limit = (trajectory.duration / 100_000, np.inf)
        raise InvalidValue(
            Refusal(text, Kind.OUT_OF_BOUNDS, "step", "", step, limit, "s", field="step")
        )
    count = int(np.ceil(trajectory.duration / step)) + 1
    q, _, _ = trajectory.sample(np.linspace(0.0, trajectory.duration, count))
    return arm.tool_pose(q)[0]


def _peak(joints: tuple[str, ...], values: Array, limit: Array) -> Peak:
    largest = np.abs(values).max(axis=0)
    i = int(np.argmax(largest / limit))
    return Peak(joints[i], float(largest[i]), float(largest[i] / limit[i]))
