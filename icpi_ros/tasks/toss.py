"""Toss: throw a ball so that it lands at a goal on the floor.

The gripper holds the ball below the blade, the arm swings it forward and up along a straight line,
and the gripper lets go near the peak of the speed.  The air's drag, the gripper's latency and a
base that is not level are hidden: speed, heading and the moment of release have to adapt.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.motion.primitives import Strike, rising_rotation, strikes
from icpi_ros.motion.rest import RestRule
from icpi_ros.motion.trajectory import TrajectoryBatch
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.strike_task import tilt_table

if TYPE_CHECKING:
    import mujoco

ELEVATION = 0.6
"""Angle by which the line of the throw rises [rad]."""
RIM = -0.62
"""Height at which the landing is taken [m]: the rim of a box on the floor."""
BALL_MASS = 0.05
THROW = Strike(
    start=np.array([0.45, -0.45, 0.35]),
    pivot=np.array([0.45, -0.2, 0.35]),
    run_up=0.25,
    deceleration=8.0,
)
"""Line of the throw; its start turns and sinks about the pivot, which is passed at peak speed."""


class TossGc(Task):
    """Ball in a gripper, goal that varies; theta = (speed, heading, release).

    The error is the place where the ball first passes the height of the rim downwards minus the
    goal; both coordinates count in the cost.
    """

    name: ClassVar[str] = "toss-gc"
    summary: ClassVar[str] = "throw a ball so that it lands at a goal on the floor, which varies"
    scene: ClassVar[str] = "toss.xml"
    revision: ClassVar[int] = 1
    object_body: ClassVar[str] = "ball"
    space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("speed", "m/s", 1.0, 1.8, "peak speed of the tool"),
            Parameter("heading", "rad", -0.3, 0.3, "of the throw from +y, positive towards -x"),
            Parameter("release", "s", -0.06, 0.03, "order to let go, after the peak of the speed"),
        )
    )
    goal_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("x", "m", 0.37, 0.53, "where the ball lands, frame base"),
            Parameter("y", "m", 0.28, 0.50, "where the ball lands, frame base"),
        ),
        label="goal",
    )
    default_goal: ClassVar[Array] = np.array([0.45, 0.4])
    goal_varies: ClassVar[bool] = True
    physics_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("drag", "1/s", 0.0, 0.6, "slowing of the ball by the air, per speed"),
            Parameter("latency", "s", 0.0, 0.03, "delay of the gripper's opening"),
            Parameter("tilt", "deg", -2.0, 2.0, "of the base about y; positive pulls towards +x"),
        ),
        label="physics",
    )
    shifted_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("drag", "1/s", 0.0, 0.9, "slowing of the ball by the air, per speed"),
            Parameter("latency", "s", 0.0, 0.045, "delay of the gripper's opening"),
            Parameter("tilt", "deg", -3.0, 3.0, "of the base about y; positive pulls towards +x"),
        ),
        label="shifted physics",
    )
    error_names: ClassVar[tuple[str, ...]] = ("x [m]", "y [m]")
    cost_mask: ClassVar[Array] = np.ones(2)
    rest: ClassVar[RestRule] = RestRule.never(period=0.01)
    max_duration: ClassVar[float] = 1.5
    rim: ClassVar[float] = RIM

    @property
    def how_to_reset(self) -> str:
        """Instruction to hand over the ball; see :meth:`Task.how_to_reset`."""
        return "put the ball into the gripper"

    def goal_point(self, goal: Array) -> Array:
        """Goal at the height of the rim; see :meth:`Task.goal_point`."""
        return np.array([goal[0], goal[1], self.rim])

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """Straight throws that rise; see :meth:`Task.trajectories`."""
        rise = np.full(len(thetas), ELEVATION)
        return strikes(arm, THROW, thetas[:, 0], thetas[:, 1], rise)

    def releases(self, thetas: Array, arm: Arm) -> Array:
        """Order to let go, counted from the start; see :meth:`Task.releases`."""
        peak = 2.0 * THROW.run_up / thetas[:, 0]
        return np.asarray(peak + thetas[:, 2])

    def ready(self, theta: Array, arm: Arm) -> Array:
        """The start of the throw: nothing is in the way; see :meth:`Task.ready`."""
        rotation = rising_rotation(theta[1], np.array(ELEVATION))
        return arm.ik(THROW.pivot - THROW.run_up * rotation[:, 1], rotation)

    def error(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """Relative error ``(2,)`` [m]: landing place minus goal.

        Raises:
            ObservationMissing: the ball was not seen before and after it passed the rim.
        """
        return self.outcome_goal(trajectory) - goal

    def outcome_goal(self, trajectory: ObjectTrajectory) -> Array:
        """Landing place; see :meth:`Task.outcome_goal`."""
        return landing(trajectory, self.rim)

    def apply_physics(self, model: mujoco.MjModel, physics: Array) -> None:
        """Set drag, latency and tilt; see :meth:`Task.apply_physics`."""
        drag, latency, tilt = physics
        set_flight(model, drag, latency)
        tilt_table(model, tilt)


def set_flight(model: mujoco.MjModel, drag: float, latency: float) -> None:
    """Set the drag of the air on the ball [1/s], and the latency of the gripper [s]."""
    first = int(model.joint("ball").dofadr[0])
    model.dof_damping[first : first + 3] = BALL_MASS * drag
    model.numeric("gripper_latency").data[0] = latency


def landing(trajectory: ObjectTrajectory, height: float) -> Array:
    """Return the place ``(2,)`` [m] where a path first passes ``height`` [m] downwards.

    Straight between samples that follow each other; a gap is not bridged.

    Raises:
        ObservationMissing: it does not, or the samples around it are missing.
    """
    above = trajectory.positions[:, 2] - height
    passed = np.flatnonzero((above[:-1] > 0.0) & (above[1:] <= 0.0))
    below = np.flatnonzero(above <= 0.0)
    if len(passed) == 0 or passed[0] + 1 != below[0]:
        raise ObservationMissing(
            f"the ball was not seen just before and after it passed z = {height:g} m downwards"
        )
    i = int(passed[0])
    share = above[i] / (above[i] - above[i + 1])
    before, after = trajectory.positions[i : i + 2, :2]
    return np.asarray(before + share * (after - before))


TOSS_GC = TossGc()
