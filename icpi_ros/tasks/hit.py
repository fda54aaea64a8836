"""Hit: strike a ball that hangs on a cord so that the top of its flight is at a goal.

The blade swings forward and up along a straight line and meets the ball at its peak speed.  The
ball's cover, the air's drag and how askew the blade is mounted are hidden: speed, heading and
elevation have to adapt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.motion.primitives import Strike, rising_rotation, strikes
from icpi_ros.motion.rest import RestRule
from icpi_ros.motion.trajectory import TrajectoryBatch
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    import mujoco

BALL_MASS = 0.05
START = np.array([0.45, -0.2, 0.35])
"""The hanging ball ``(3,)``, frame base [m]."""
REACH = 0.034
"""Distance of the blade's centre from the ball's where they meet [m]."""
RUN_UP = 0.22
STRIKE = Strike(
    start=START - np.array([0.0, RUN_UP + REACH, 0.0]),
    pivot=START,
    run_up=RUN_UP,
    deceleration=8.0,
)
"""Line of the strike; its start turns and sinks about the ball."""
READY_BACK = 0.05
"""Distance of the pose before the strike from its start, backwards [m]."""
FREQUENCY = 150.0
"""Of the damped spring between blade and ball [rad/s]."""
RISE = 0.012
"""Least mean rise of the ball around the top of its flight [m]."""
BEFORE, AFTER = 2, 5
"""Samples around the highest one through which the top of the flight is fitted: few before it,
since the blade may still touch the ball."""


class HitGc(Task):
    """Ball on a cord, goal that varies; theta = (speed, heading, elevation).

    The error is the top of the ball's flight minus the goal, a point in space; all three
    coordinates count in the cost.
    """

    name: ClassVar[str] = "hit-gc"
    summary: ClassVar[str] = "strike a hanging ball so that it flies up to a goal, which varies"
    scene: ClassVar[str] = "hit.xml"
    revision: ClassVar[int] = 1
    object_body: ClassVar[str] = "ball"
    space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("speed", "m/s", 1.0, 1.8, "peak speed of the blade"),
            Parameter("heading", "rad", -0.3, 0.3, "of the strike from +y, positive towards -x"),
            Parameter("elevation", "rad", 0.6, 1.0, "rise of the strike"),
        )
    )
    goal_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("x", "m", 0.42, 0.48, "top of the ball's flight, frame base"),
            Parameter("y", "m", -0.01, 0.05, "top of the ball's flight, frame base"),
            Parameter("z", "m", 0.44, 0.47, "top of the ball's flight, frame base"),
        ),
        label="goal",
    )
    default_goal: ClassVar[Array] = np.array([0.45, 0.02, 0.455])
    goal_varies: ClassVar[bool] = True
    physics_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("damping", "1", 0.2, 0.65, "damping ratio of the ball's cover at the impact"),
            Parameter("drag", "1/s", 0.0, 0.6, "slowing of the ball by the air, per speed"),
            Parameter("askew", "deg", -4.0, 4.0, "turn of the blade on the tool about its z"),
        ),
        label="physics",
    )
    shifted_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("damping", "1", 0.1, 0.8, "damping ratio of the ball's cover at the impact"),
            Parameter("drag", "1/s", 0.0, 0.9, "slowing of the ball by the air, per speed"),
            Parameter("askew", "deg", -6.0, 6.0, "turn of the blade on the tool about its z"),
        ),
        label="shifted physics",
    )
    error_names: ClassVar[tuple[str, ...]] = ("x [m]", "y [m]", "z [m]")
    cost_mask: ClassVar[Array] = np.ones(3)
    rest: ClassVar[RestRule] = RestRule.never(period=0.01)
    max_duration: ClassVar[float] = 0.8

    @property
    def how_to_reset(self) -> str:
        """Instruction to calm the ball; see :meth:`Task.how_to_reset`."""
        return "let the ball hang still"

    def goal_point(self, goal: Array) -> Array:
        """Goal itself: it is a point in space; see :meth:`Task.goal_point`."""
        return goal.copy()

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """Straight strikes that rise; see :meth:`Task.trajectories`."""
        return strikes(arm, STRIKE, thetas[:, 0], thetas[:, 1], thetas[:, 2])

    def ready(self, theta: Array, arm: Arm) -> Array:
        """A little behind the start of the strike; see :meth:`Task.ready`."""
        rotation = rising_rotation(theta[1], theta[2])
        back = READY_BACK + RUN_UP + REACH
        return arm.ik(START - back * rotation[:, 1], rotation)

    def error(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """Relative error ``(3,)`` [m]: top of the flight minus goal.

        Raises:
            ObservationMissing: the ball was not seen around the top of its flight.
        """
        return self.outcome_goal(trajectory) - goal

    def outcome_goal(self, trajectory: ObjectTrajectory) -> Array:
        """Top of the flight; see :meth:`Task.outcome_goal`."""
        return top(trajectory)

    def apply_physics(self, model: mujoco.MjModel, physics: Array) -> None:
        """Set damping, drag and the blade's turn; see :meth:`Task.apply_physics`."""
        damping, drag, askew = physics
        model.pair("ball_blade").solref[:] = -(FREQUENCY**2), -2.0 * FREQUENCY * damping
        first = int(model.joint("ball").dofadr[0])
        model.dof_damping[first : first + 3] = BALL_MASS * drag
        half = 0.5 * np.deg2rad(askew)
        model.geom("blade").quat[:] = np.cos(half), 0.0, 0.0, np.sin(half)


def top(trajectory: ObjectTrajectory) -> Array:
    """Return the first top ``(3,)`` [m] of a path: the vertex of the parabolas through it.

    It is the first sample well above the start that none of its neighbours exceeds; later the cord
    may swing the ball up again.

    Raises:
        ObservationMissing: there is none, or samples around it are missing.
    """
    z, width = trajectory.positions[:, 2], BEFORE + AFTER + 1
    windows = sliding_window_view(z, width) if len(z) >= width else np.empty((0, width))
    risen = windows.mean(axis=1) > START[2] + RISE
    tops = np.flatnonzero(risen & (windows[:, BEFORE] == windows.max(axis=1)))
    if len(tops) == 0:
        raise ObservationMissing("the ball was not seen around the top of its flight")
    around = slice(tops[0], tops[0] + width)
    times = trajectory.times[around] - trajectory.times[tops[0] + BEFORE]
    fitted = np.polynomial.polynomial.polyfit(times, trajectory.positions[around], 2)
    vertex = np.clip(-0.5 * fitted[1, 2] / fitted[2, 2], times[0], times[-1])
    return np.asarray(fitted[0] + vertex * (fitted[1] + vertex * fitted[2]))


HIT_GC = HitGc()
