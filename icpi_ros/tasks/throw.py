"""Throw: fling a ball with three joints so that it rises to a height and comes down at a goal.

The world of ``toss-gc`` with a motion of eight parameters: travel of shoulder lift, elbow and
wrist, how much later elbow and wrist begin, duration, heading and the moment of release.  Three
numbers are asked for, so each goal has a family of solutions of five dimensions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.motion.primitives import flings
from icpi_ros.motion.trajectory import TrajectoryBatch
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.strike_task import set_mass, tilt_table
from icpi_ros.tasks.toss import TossGc, landing, set_flight

if TYPE_CHECKING:
    import mujoco

START = np.array([np.pi, -1.4, 2.0, -2.05, -1.5708, 0.0])
"""Pose of the arm before a throw along +x [rad]."""
PAN, LIFT, ELBOW, WRIST = 0, 1, 2, 3
RIM = 0.0
"""Height at which the landing is taken [m]: the rim of a bin."""
AROUND = 3
"""Samples on each side of the highest one through which the top is fitted."""


class ThrowGc(TossGc):
    """Ball in a gripper, thrown by three joints; the goal varies, theta has eight parameters.

    The error is (place where the ball passes the rim's height downwards, top of its path) minus
    the goal; all three coordinates count in the cost.
    """

    name: ClassVar[str] = "throw-gc"
    summary: ClassVar[str] = "throw a ball by eight parameters, so that it rises and lands as asked"
    space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("duration", "s", 0.6, 0.8, "of each joint's travel"),
            Parameter("lift", "rad", -0.3, 0.1, "travel of the shoulder lift"),
            Parameter("elbow", "rad", -0.92, -0.7, "travel of the elbow"),
            Parameter("wrist", "rad", -0.92, -0.6, "travel of wrist 1"),
            Parameter("elbow_lag", "s", 0.0, 0.08, "start of the elbow after the lift's"),
            Parameter("wrist_lag", "s", 0.0, 0.12, "start of wrist 1 after the lift's"),
            Parameter("heading", "rad", -0.25, 0.25, "of the throw from +x, positive towards +y"),
            Parameter("release", "s", -0.03, 0.07, "order to let go, after the wrist's peak speed"),
        )
    )
    goal_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("x", "m", 0.85, 1.15, "where the ball lands, frame base"),
            Parameter("y", "m", 0.03, 0.23, "where the ball lands, frame base"),
            Parameter("z", "m", 0.6, 0.75, "top of the ball's path, frame base"),
        ),
        label="goal",
    )
    default_goal: ClassVar[Array] = np.array([1.0, 0.13, 0.68])
    physics_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("drag", "1/s", 0.0, 0.6, "slowing of a ball of 50 g by the air, per speed"),
            Parameter("latency", "s", 0.0, 0.03, "delay of the gripper's opening"),
            Parameter("tilt", "deg", -2.0, 2.0, "of the base about x; positive pulls towards +y"),
            Parameter("mass", "kg", 0.03, 0.08, "mass of the ball"),
        ),
        label="physics",
    )
    shifted_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("drag", "1/s", 0.0, 0.9, "slowing of a ball of 50 g by the air, per speed"),
            Parameter("latency", "s", 0.0, 0.045, "delay of the gripper's opening"),
            Parameter("tilt", "deg", -3.0, 3.0, "of the base about x; positive pulls towards +y"),
            Parameter("mass", "kg", 0.025, 0.1, "mass of the ball"),
        ),
        label="shifted physics",
    )
    error_names: ClassVar[tuple[str, ...]] = ("x [m]", "y [m]", "z [m]")
    cost_mask: ClassVar[Array] = np.ones(3)
    max_duration: ClassVar[float] = 1.35
    rim: ClassVar[float] = RIM

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """Flings of three joints; see :meth:`Task.trajectories`."""
        starts = np.tile(START, (len(thetas), 1))
        starts[:, PAN] += thetas[:, 6]
        deltas, lags = np.zeros_like(starts), np.zeros_like(starts)
        deltas[:, [LIFT, ELBOW, WRIST]] = thetas[:, 1:4]
        lags[:, [ELBOW, WRIST]] = thetas[:, 4:6]
        return flings(arm, starts, deltas, thetas[:, 0], lags)

    def releases(self, thetas: Array, arm: Arm) -> Array:
        """Order to let go, counted from the start; see :meth:`Task.releases`."""
        return np.asarray(0.5 * thetas[:, 0] + thetas[:, 5] + thetas[:, 7])

    def ready(self, theta: Array, arm: Arm) -> Array:
        """The start of the throw: nothing is in the way; see :meth:`Task.ready`."""
        return np.asarray(self.trajectories(theta[np.newaxis], arm).positions[0, 0])

    def outcome_goal(self, trajectory: ObjectTrajectory) -> Array:
        """Landing place and top of the path ``(3,)`` [m]; see :meth:`Task.outcome_goal`."""
        return np.array([*landing(trajectory, self.rim), height(trajectory)])

    def apply_physics(self, model: mujoco.MjModel, physics: Array) -> None:
        """Set drag, latency, tilt and mass; see :meth:`Task.apply_physics`."""
        drag, latency, tilt, mass = physics
        set_flight(model, drag, latency)
        set_mass(model, "ball", mass)
        tilt_table(model, 0.0, tilt)


def height(trajectory: ObjectTrajectory) -> float:
    """Return the height of a path's top [m]: that of a parabola through the samples there.

    Its vertex, unless noise bends it so that this is not among the samples: then the higher end.

    Raises:
        ObservationMissing: samples around the highest one are missing.
    """
    z = trajectory.positions[:, 2]
    top = int(np.nanargmax(z)) if np.isfinite(z).any() else 0
    around = z[max(0, top - AROUND) : top + AROUND + 1]
    if len(around) < 2 * AROUND + 1 or not np.isfinite(around).all():
        raise ObservationMissing("the ball was not seen around the top of its path")
    steps = np.arange(-AROUND, AROUND + 1, dtype=np.float64)
    level, slope, bend = np.polynomial.polynomial.polyfit(steps, around, 2)
    if abs(slope) >= -2.0 * AROUND * bend:
        return float(level + AROUND * abs(slope) + AROUND**2 * bend)
    return float(level - 0.25 * slope**2 / bend)


THROW_GC = ThrowGc()
