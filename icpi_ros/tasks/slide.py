"""Slide: strike a puck so that it comes to rest at a goal on the table.

The arm's blade accelerates the puck over a fixed run-up, brakes, and lets it slide.  Friction
and a slight lateral tilt of the table are hidden, so speed and heading both have to adapt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from icpi_ros.arms.base import Arm
from icpi_ros.errors import ObservationMissing
from icpi_ros.motion.primitive import Strike, strike_rotation, strikes
from icpi_ros.motion.rest import RestRule
from icpi_ros.motion.trajectory import TrajectoryBatch
from icpi_ros.space import Parameter, ParameterSpace
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array, ObjectTrajectory

if TYPE_CHECKING:
    import mujoco

GRAVITY = 9.81
PUCK_RADIUS = 0.03
BLADE_HALF_THICKNESS = 0.004
GAP = 0.002
PUCK_START = np.array([0.6, -0.15, 0.01])
BLADE_HEIGHT = 0.010
READY_BACK, READY_HEIGHT = 0.15, 0.20


class Slide(Task):
    """Puck on a table, fixed goal; theta = (speed, heading)."""

    name: ClassVar[str] = "slide"
    summary: ClassVar[str] = "strike a puck so that it stops at a goal on the table"
    scene: ClassVar[str] = "slide.xml"
    revision: ClassVar[int] = 1
    object_body: ClassVar[str] = "puck"
    space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("speed", "m/s", 0.6, 1.6, "peak speed of the blade"),
            Parameter("heading", "rad", -0.4, 0.4, "strike direction from +y, positive towards -x"),
        )
    )
    goal_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("x", "m", 0.5, 0.7, "goal of the puck's centre, frame base"),
            Parameter("y", "m", 0.38, 0.45, "goal of the puck's centre, frame base"),
        ),
        label="goal",
    )
    default_goal: ClassVar[Array] = np.array([0.6, 0.42])
    physics_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("friction", "1", 0.10, 0.35, "sliding friction puck on table"),
            Parameter("mass", "kg", 0.1, 0.5, "mass of the puck"),
            Parameter("tilt", "deg", -1.5, 1.5, "table tilt about y; positive pulls towards +x"),
        ),
        label="physics",
    )
    shifted_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("friction", "1", 0.08, 0.45, "sliding friction puck on table"),
            Parameter("mass", "kg", 0.05, 0.8, "mass of the puck"),
            Parameter("tilt", "deg", -2.5, 2.5, "table tilt about y; positive pulls towards +x"),
        ),
        label="shifted physics",
    )
    error_names: ClassVar[tuple[str, ...]] = ("x [m]", "y [m]")
    cost_mask: ClassVar[Array] = np.ones(2)
    rest: ClassVar[RestRule] = RestRule(speed=0.01, window=0.1)
    max_duration: ClassVar[float] = 6.0
    strike: ClassVar[Strike] = Strike(
        start=np.array(
            [0.6, PUCK_START[1] - PUCK_RADIUS - GAP - BLADE_HALF_THICKNESS, BLADE_HEIGHT]
        ),
        pivot=np.array([PUCK_START[0], PUCK_START[1], BLADE_HEIGHT]),
        run_up=0.22,
        deceleration=8.0,
    )

    def strokes(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """Straight strikes through the puck's centre; see :meth:`Task.strokes`."""
        return strikes(arm, self.strike, thetas[:, 0], thetas[:, 1])

    def ready(self, theta: Array, arm: Arm) -> Array:
        """Behind and above the start of the strike; see :meth:`Task.ready`."""
        rotation = strike_rotation(theta[1])
        along = rotation[:, 1]
        back = READY_BACK + float(np.linalg.norm(self.strike.pivot - self.strike.start))
        above = self.strike.pivot - back * along + np.array([0.0, 0.0, READY_HEIGHT])
        return arm.inverse(above, rotation)

    def error(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """Relative error ``(2,)`` [m]: last seen position of the puck minus the goal.

        Raises:
            ObservationMissing: the last sample of the trajectory is missing.
        """
        return self.outcome_goal(trajectory) - goal

    def outcome_goal(self, trajectory: ObjectTrajectory) -> Array:
        """Where the puck was last seen; see :meth:`Task.outcome_goal`."""
        if len(trajectory.times) == 0 or not np.isfinite(trajectory.positions[-1, :2]).all():
            raise ObservationMissing("the puck was not seen at the end of the trial window")
        return trajectory.positions[-1, :2].copy()

    def apply_physics(self, model: mujoco.MjModel, physics: Array) -> None:
        """Set friction, mass and tilt; see :meth:`Task.apply_physics`."""
        friction, mass, tilt = physics
        model.pair("puck_table").friction[:2] = friction
        puck = model.body("puck")
        puck.inertia[:] *= mass / puck.mass[0]
        puck.mass[0] = mass
        angle = np.deg2rad(tilt)
        model.opt.gravity[:] = GRAVITY * np.array([np.sin(angle), 0.0, -np.cos(angle)])


SLIDE = Slide()
