"""Roll: strike a ball so that it comes to rest at a goal on the table.

The simulated twin of the paper's real-robot task (ICPI, roll-gc-real).  The ball rolls on against
rolling friction; a tilt of the table along both axes is hidden.  ``observation`` adds the errors
of a real sensor, for example ``RollGc(Observation(noise=0.003, latency=0.05))``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.motion.primitives import Strike
from icpi_ros.motion.rest import RestRule
from icpi_ros.tasks.camera_target import CameraTarget, Target
from icpi_ros.tasks.observation import PERFECT, Observation
from icpi_ros.tasks.plane import Plane
from icpi_ros.tasks.strike_task import (
    OBJECT_RADIUS,
    StrikeTask,
    goal_box,
    set_mass,
    strike_at,
    tilt_table,
)

if TYPE_CHECKING:
    import mujoco


BALL = Target("ball", ((90.0, 150.0),), 0.03, colour=(0.1, 0.8, 0.1))


class RollGc(StrikeTask):
    """Ball on a table, the goal varies; theta = (speed, heading)."""

    name: ClassVar[str] = "roll-gc"
    summary: ClassVar[str] = "strike a ball so that it stops at a goal that varies"
    scene: ClassVar[str] = "roll.xml"
    revision: ClassVar[int] = 1
    object_body: ClassVar[str] = "ball"
    space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("speed", "m/s", 0.42, 1.25, "peak speed of the blade"),
            Parameter(
                "heading", "rad", -0.38, 0.38, "strike direction from +y, positive towards -x"
            ),
        )
    )
    goal_space: ClassVar[ParameterSpace] = goal_box(0.40, 0.70, "the ball's")
    default_goal: ClassVar[Array] = np.array([0.6, 0.6])
    goal_varies: ClassVar[bool] = True
    physics_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("friction", "m", 0.0015, 0.005, "rolling friction ball on table"),
            Parameter("mass", "kg", 0.05, 0.3, "mass of the ball"),
            Parameter("tilt_x", "deg", -0.6, 0.6, "table falls off along +x by this angle"),
            Parameter("tilt_y", "deg", -0.4, 0.4, "table falls off along +y by this angle"),
        ),
        label="physics",
    )
    shifted_space: ClassVar[ParameterSpace] = ParameterSpace(
        (
            Parameter("friction", "m", 0.0012, 0.006, "rolling friction ball on table"),
            Parameter("mass", "kg", 0.03, 0.4, "mass of the ball"),
            Parameter("tilt_x", "deg", -0.9, 0.9, "table falls off along +x by this angle"),
            Parameter("tilt_y", "deg", -0.6, 0.6, "table falls off along +y by this angle"),
        ),
        label="shifted physics",
    )
    # 10 mm/s would stop the clock up to 13 mm early: a ball is slow for a long time.
    rest: ClassVar[RestRule] = RestRule(speed=0.002, window=0.1)
    max_duration: ClassVar[float] = 10.0
    strike: ClassVar[Strike] = strike_at(OBJECT_RADIUS)
    camera_target: ClassVar[CameraTarget] = CameraTarget(BALL, Plane.level(0.03))

    def __init__(self, observation: Observation = PERFECT) -> None:
        """Set the errors of the sensor on the ball's path; data sets are made without them."""
        self.observation = observation

    def apply_physics(self, model: mujoco.MjModel, physics: Array) -> None:
        """Set rolling friction, mass and tilt; see :meth:`Task.apply_physics`."""
        friction, mass, tilt_x, tilt_y = physics
        model.pair("ball_table").friction[3:] = friction
        set_mass(model, "ball", mass)
        tilt_table(model, tilt_x, tilt_y)


ROLL_GC = RollGc()
