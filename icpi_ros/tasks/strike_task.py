"""Base of the tasks in which the blade strikes an object on a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.motion.primitives import Strike, strike_rotation, strikes
from icpi_ros.motion.trajectory import TrajectoryBatch
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    import mujoco

GRAVITY = 9.81
OBJECT_RADIUS = 0.03
"""Radius of the puck and of the ball [m]."""
GAP = 0.002
BLADE_HALF_THICKNESS = 0.004
START = np.array([0.6, -0.15])
"""Start of the object ``(2,)``, frame base [m]."""
PLACEMENT_TOLERANCE = 0.01
"""Largest distance of the object from START when a trial begins [m]."""
READY_BACK, READY_HEIGHT = 0.15, 0.20


def strike_at(height: float) -> Strike:
    """Return the strike of the object at START with the blade's centre at ``height`` [m]."""
    behind = START[1] - OBJECT_RADIUS - GAP - BLADE_HALF_THICKNESS
    return Strike(
        start=np.array([START[0], behind, height]),
        pivot=np.array([*START, height]),
        run_up=0.22,
        deceleration=8.0,
    )


def goal_box(y_lower: float, y_upper: float, what: str) -> ParameterSpace:
    """Return the goals ``what`` on the table with x from 0.5 to 0.7 m and the given y [m]."""
    meaning = f"goal of {what} centre, frame base"
    return ParameterSpace(
        (Parameter("x", "m", 0.5, 0.7, meaning), Parameter("y", "m", y_lower, y_upper, meaning)),
        label="goal",
    )


class StrikeTask(Task):
    """A straight strike along +y, turned by a heading; theta = (speed, heading).

    The error is where the object stops minus the goal; both coordinates count in the cost.
    """

    strike: ClassVar[Strike]
    error_names: ClassVar[tuple[str, ...]] = ("x [m]", "y [m]")
    cost_mask: ClassVar[Array] = np.ones(2)

    @property
    def how_to_reset(self) -> str:
        """Instruction with the place of the object; see :meth:`Task.how_to_reset`."""
        x, y = START
        return f"put the {self.object_body} at x = {x:.3f} m, y = {y:.3f} m in frame base"

    def misplaced(self, position: Array) -> str:
        """Compare with START; see :meth:`Task.misplaced`."""
        off = float(np.linalg.norm(position[:2] - START))
        if off <= PLACEMENT_TOLERANCE:
            return ""
        return (
            f"the {self.object_body} is seen at x = {position[0]:.3f} m, y = {position[1]:.3f} m, "
            f"{1e3 * off:.0f} mm from its place, at most {1e3 * PLACEMENT_TOLERANCE:.0f} mm"
        )

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """Straight strikes through the object's centre; see :meth:`Task.trajectories`."""
        return strikes(arm, self.strike, thetas[:, 0], thetas[:, 1])

    def ready(self, theta: Array, arm: Arm) -> Array:
        """Behind and above the start of the strike; see :meth:`Task.ready`."""
        rotation = strike_rotation(theta[1])
        along = rotation[:, 1]
        back = READY_BACK + float(np.linalg.norm(self.strike.pivot - self.strike.start))
        above = self.strike.pivot - back * along + np.array([0.0, 0.0, READY_HEIGHT])
        return arm.ik(above, rotation)

    def error(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """Relative error ``(2,)`` [m]: last seen position of the object minus the goal.

        Raises:
            ObservationMissing: the last sample of the trajectory is missing.
        """
        return self.outcome_goal(trajectory) - goal

    def outcome_goal(self, trajectory: ObjectTrajectory) -> Array:
        """Last seen place of the object; see :meth:`Task.outcome_goal`."""
        return self.last_seen(trajectory)[:2]


def set_mass(model: mujoco.MjModel, name: str, mass: float) -> None:
    """Give body ``name`` a mass [kg] and the inertia that goes with its shape."""
    body = model.body(name)
    body.inertia[:] *= mass / body.mass[0]
    body.mass[0] = mass


def tilt_table(model: mujoco.MjModel, towards_x: float, towards_y: float = 0.0) -> None:
    """Turn gravity as a table does that falls off by these angles [deg] along +x and +y."""
    slope = np.sin(np.deg2rad([towards_x, towards_y]))
    model.opt.gravity[:] = GRAVITY * np.array([*slope, -np.sqrt(1.0 - slope @ slope)])
