"""Families of motions that a described task may name, behind one protocol."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.motion.primitives import Strike, strike_rotation, strikes, swings
from icpi_ros.motion.trajectory import TrajectoryBatch
from icpi_ros.robots.base import Arm

if TYPE_CHECKING:
    from icpi_ros.motion.demonstration import DemonstratedMotion

PEAK_STEP = 0.002
"""Distance of the instants among which the fastest of a motion is looked for [s]."""
Bounds = tuple[float, float]


class MotionFamily(Protocol):
    """Motions of an arm, one for each theta ``(d,)`` of a box."""

    @property
    def space(self) -> ParameterSpace:
        """Box of theta."""

    @property
    def first(self) -> Array | None:
        """Theta ``(d,)`` of the motion that was demonstrated; None = none was."""

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """Return one motion for each theta of ``(N, d)``.

        Raises:
            MotionRefused: a motion leaves the arm's reach.
        """

    def ready(self, theta: Array, arm: Arm) -> Array:
        """Return the pose ``(n,)`` [rad] clear of the object, before the approach."""

    def definition(self) -> dict[str, Any]:
        """Return all that decides the motions but the box, as JSON types."""


@dataclass(frozen=True)
class ReadyOffset:
    """Pose before a strike: so far behind its start and above its line [m]."""

    back: float
    height: float


@dataclass(frozen=True)
class StrikeFamily:
    """Straight strikes by speed and, if it is a parameter, heading."""

    strike: Strike
    offset: ReadyOffset
    space: ParameterSpace
    first: None = None

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """See :meth:`MotionFamily.trajectories`."""
        return strikes(arm, self.strike, self._column(thetas, "speed"), self._headings(thetas))

    def ready(self, theta: Array, arm: Arm) -> Array:
        """See :meth:`MotionFamily.ready`."""
        rotation = strike_rotation(self._headings(theta[np.newaxis])[0])
        back = self.offset.back + float(np.linalg.norm(self.strike.pivot - self.strike.start))
        above = self.strike.pivot - back * rotation[:, 1] + np.array([0.0, 0.0, self.offset.height])
        return arm.ik(above, rotation)

    def definition(self) -> dict[str, Any]:
        """See :meth:`MotionFamily.definition`."""
        strike, offset = self.strike, self.offset
        return {
            "strike": [*strike.start.tolist(), *strike.pivot.tolist()],
            "run_up": [strike.run_up, strike.deceleration],
            "ready": [offset.back, offset.height],
        }

    def _column(self, thetas: Array, name: str) -> Array:
        return thetas[:, self.space.names.index(name)]

    def _headings(self, thetas: Array) -> Array:
        if "heading" not in self.space.names:
            return np.zeros(len(thetas))
        return self._column(thetas, "heading")


@dataclass(frozen=True)
class SwingFamily:
    """Swings from the arm's home, by speed and the travel of the joints that are parameters."""

    acceleration: float
    joints: tuple[int, ...]
    """Numbers of the joints that travel: of the parameters in turn, without the speed."""
    space: ParameterSpace
    first: None = None

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """See :meth:`MotionFamily.trajectories`."""
        speed = self.space.names.index("speed")
        deltas = np.zeros((len(thetas), len(arm.joints)))
        deltas[:, self.joints] = np.delete(thetas, speed, axis=1)
        return swings(arm, arm.home, deltas, thetas[:, speed], self.acceleration)

    def ready(self, theta: Array, arm: Arm) -> Array:
        """See :meth:`MotionFamily.ready`."""
        return np.array(arm.home)

    def definition(self) -> dict[str, Any]:
        """See :meth:`MotionFamily.definition`."""
        return {"swing": self.acceleration, "joints": list(self.joints)}


@dataclass(frozen=True)
class DemonstrationFamily:
    """Motions made from demonstrations."""

    motion: DemonstratedMotion

    @property
    def space(self) -> ParameterSpace:
        """See :attr:`MotionFamily.space`."""
        return self.motion.space

    @property
    def first(self) -> Array | None:
        """See :attr:`MotionFamily.first`."""
        return self.motion.demonstrated

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """See :meth:`MotionFamily.trajectories`."""
        return self.motion.trajectories(thetas, arm)

    def ready(self, theta: Array, arm: Arm) -> Array:
        """See :meth:`MotionFamily.ready`."""
        return self.motion.ready(theta, arm)

    def definition(self) -> dict[str, Any]:
        """See :meth:`MotionFamily.definition`."""
        return {"demonstration": hashlib.sha256(self.motion.hash_data()).hexdigest()}


def peak_times(motions: TrajectoryBatch, arm: Arm) -> Array:
    """Return the time ``(N,)`` [s] at which the tool point of each motion is fastest."""
    times = np.arange(0.0, float(motions.durations.max()) + PEAK_STEP, PEAK_STEP)
    q, qd = motions.sample(times)
    speed = np.linalg.norm((arm.jacobian(q)[..., :3, :] @ qd[..., np.newaxis])[..., 0], axis=-1)
    top = np.clip(np.argmax(speed, axis=1), 1, len(times) - 2)
    rows = np.arange(len(speed))
    before, here, after = speed[rows, top - 1], speed[rows, top], speed[rows, top + 1]
    bend = before - 2.0 * here + after
    # A parabola through three instants: the answer has no steps that theta could hide in.
    curved = np.where(bend < 0.0, bend, -np.inf)
    share = np.clip(0.5 * (before - after) / curved, -1.0, 1.0)
    return np.asarray(np.minimum(times[top] + share * PEAK_STEP, motions.durations))
