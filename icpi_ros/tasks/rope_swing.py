"""Rope swing: fling a rope that hangs from the arm's stick so that its tip meets a target.

The paper's rope-swing (ICPI, arXiv 2508.15021) with the action of Iterative Residual Policy (Chi
et al., RSS 2022): peak speed, travel of joint 2 and of joint 3.  Rope and arm move in the plane
y = const of frame ``base``; the arm stands on a pedestal, the ground is at z = -1.3 m.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.motion.primitives import swings
from icpi_ros.motion.rest import RestRule
from icpi_ros.motion.trajectory import TrajectoryBatch
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.camera_target import Agility, CameraTarget, Target
from icpi_ros.tasks.plane import Plane

if TYPE_CHECKING:
    import mujoco

ACCELERATION = 10.0
"""Mean acceleration of the farther joint in both ramps [rad/s^2]."""
SEGMENTS = 20
ROPE_RADIUS = 0.004
SWINGING = (1, 2)
"""Joints that move: shoulder lift and elbow."""
PLANE = [0, 2]
"""Coordinates of the swing's plane in frame ``base``."""
PLANE_Y = 0.1333
"""Coordinate y of that plane [m]."""
MIN_COVERAGE = 0.9
"""Least share of samples present: a gap may hide the closest approach."""

TIP = Target("rope tip", ((280.0, 320.0),), 0.02, colour=(0.9, 0.1, 0.9))
# A rope cracks like a whip, and one pixel of the side camera is 14 mm.
WHIP = Agility(
    power=3000.0,
    max_speed=25.0,
    quiet=10.0,
    start_speed=10.0,
    max_gap=0.1,
    max_residual=0.01,
)


class Approach(NamedTuple):
    """Closest approach of a path to a point: position ``(2,)`` [m] and time [s]."""

    position: Array
    time: float


class RopeSwing(Task):
    """Rope on a stick, fixed target; theta = (speed, delta of joint 2, delta of joint 3).

    The error is the tip minus the target at the closest approach of the tip's path, straight
    between samples, in the swing's plane; the cost is that distance.
    """

    name: ClassVar[str] = "rope-swing"
    summary: ClassVar[str] = "swing a rope so that its tip passes through a target"
    scene: ClassVar[str] = "rope.xml"
    revision: ClassVar[int] = 1
    arm: ClassVar[str] = "ur5e_stick"
    object_body: ClassVar[str] = "rope_0"
    camera_target: ClassVar[CameraTarget] = CameraTarget(TIP, Plane.upright(PLANE_Y), WHIP)
    space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("speed", "rad/s", 1.0, 3.14, "peak speed of the joint that travels farther"),
            Parameter("delta_2", "rad", -2.618, -1.047, "travel of joint 2, shoulder lift"),
            Parameter("delta_3", "rad", -2.094, -1.047, "travel of joint 3, elbow"),
        )
    )
    goal_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("x", "m", 0.6, 1.0, "target of the rope's tip, frame base"),
            Parameter("z", "m", 0.5, 1.1, "target of the rope's tip, frame base"),
        ),
        label="goal",
    )
    default_goal: ClassVar[Array] = np.array([0.85, 0.8])
    physics_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("length", "m", 0.4, 0.7, "length of the rope"),
            Parameter("density", "kg/m", 0.02, 0.15, "mass per length"),
            Parameter("stiffness", "N m/rad", 0.001, 0.02, "of every bending joint"),
            Parameter("damping", "N m s/rad", 0.0003, 0.003, "of every joint"),
        ),
        label="physics",
    )
    shifted_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("length", "m", 0.35, 0.75, "length of the rope"),
            Parameter("density", "kg/m", 0.015, 0.18, "mass per length"),
            Parameter("stiffness", "N m/rad", 0.0007, 0.03, "of every bending joint"),
            Parameter("damping", "N m s/rad", 0.0003, 0.004, "of every joint"),
        ),
        label="shifted physics",
    )
    error_names: ClassVar[tuple[str, ...]] = ("x [m]", "z [m]")
    cost_mask: ClassVar[Array] = np.array([1.0, 1.0])
    rest: ClassVar[RestRule] = RestRule.never(period=0.004)
    max_duration: ClassVar[float] = 1.5

    @property
    def how_to_reset(self) -> str:
        """Instruction to hang the rope; see :meth:`Task.how_to_reset`."""
        return "let the rope hang still"

    def goal_point(self, goal: Array) -> Array:
        """Target in the plane of the swing; see :meth:`Task.goal_point`."""
        return np.array([goal[0], PLANE_Y, goal[1]])

    def trajectories(self, thetas: Array, arm: Arm) -> TrajectoryBatch:
        """Swings from the arm's home, where the rope hangs; see :meth:`Task.trajectories`."""
        deltas = np.zeros((len(thetas), len(arm.joints)))
        deltas[:, SWINGING] = thetas[:, 1:]
        return swings(arm, arm.home, deltas, thetas[:, 0], ACCELERATION)

    def ready(self, theta: Array, arm: Arm) -> Array:
        """The start of the swing, so that the rope hangs at rest there when it is reset."""
        return np.array(arm.home)

    def error(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """Relative error ``(2,)`` [m], see the class.

        Raises:
            ObservationMissing: fewer than 90 % of the samples are there.
        """
        return closest_approach(trajectory, goal).position - goal

    def outcome_goal(self, trajectory: ObjectTrajectory) -> Array:
        """The tip's nearest point to the default target; see :meth:`Task.outcome_goal`.

        Every point of the path is a target that was met; this one lies near the goal region.
        """
        return closest_approach(trajectory, self.default_goal).position

    def apply_physics(self, model: mujoco.MjModel, physics: Array) -> None:
        """Set length, mass, stiffness and damping; see :meth:`Task.apply_physics`."""
        length, density, stiffness, damping = physics
        piece = length / SEGMENTS
        mass = piece * density
        for i in range(SEGMENTS):
            body, joint = model.body(f"rope_{i}"), model.joint(f"rope_{i}")
            geom = model.geom(f"rope_{i}")
            if i > 0:  # the first one hangs freely from the stick's end
                body.pos[2] = piece
                joint.stiffness[:] = stiffness
            joint.damping[:] = damping
            geom.size[1] = geom.pos[2] = body.ipos[2] = 0.5 * piece
            body.mass[0] = mass
            body.inertia[:] = mass * np.array(
                [piece**2 / 12.0, piece**2 / 12.0, 0.5 * ROPE_RADIUS**2]
            )
        model.site("object").pos[2] = piece
        payload = model.body("payload").id
        model.body_gravcomp[payload] = 1.0 + length * density / model.body_mass[payload]


class RopeSwingGc(RopeSwing):
    """The same with a target that varies over the goal region."""

    name: ClassVar[str] = "rope-swing-gc"
    summary: ClassVar[str] = "rope-swing with a target that varies"
    goal_varies: ClassVar[bool] = True


def closest_approach(trajectory: ObjectTrajectory, target: Array) -> Approach:
    """Return the closest approach of the path to ``target`` ``(2,)`` [m] in the plane x, z.

    Straight between samples that follow each other; a gap is not bridged.

    Raises:
        ObservationMissing: fewer than 90 % of the samples, or no two in a row, are there.
    """
    path = trajectory.positions[:, PLANE]
    begin, along = path[:-1], np.diff(path, axis=0)
    there = np.isfinite(along).all(axis=1)
    if trajectory.coverage < MIN_COVERAGE or not there.any():
        raise ObservationMissing(
            f"the rope's tip was seen in {trajectory.coverage:.0%} of the samples: "
            f"{MIN_COVERAGE:.0%} are needed"
        )
    begin, along, times = begin[there], along[there], trajectory.times[:-1][there]
    length = np.maximum(np.sum(along**2, axis=1), 1e-18)
    share = np.clip(np.sum((target - begin) * along, axis=1) / length, 0.0, 1.0)
    nearest = begin + share[:, np.newaxis] * along
    i = int(np.argmin(np.sum((nearest - target) ** 2, axis=1)))
    step = np.diff(trajectory.times)[there][i]
    return Approach(nearest[i], float(times[i] + share[i] * step))


ROPE_SWING = RopeSwing()
ROPE_SWING_GC = RopeSwingGc()
