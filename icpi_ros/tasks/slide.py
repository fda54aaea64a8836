"""Slide: strike a puck so that it comes to rest at a goal on the table.

The arm's blade accelerates the puck over a fixed run-up, brakes, and lets it slide.  Friction
and a slight lateral tilt of the table are hidden, so speed and heading both have to adapt.

``edge-gc`` is the same on a table that ends 0.03 m behind the goals: a puck that goes too far
slides down a ramp to a board and lies there, 0.3 m behind the edge.  Its place at rest is measured
there, too: the error is finite, but the outcome jumps, and a puck that fell does not show how much
too fast it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.motion.primitives import Strike
from icpi_ros.motion.rest import RestRule
from icpi_ros.tasks.camera_target import RED, CameraTarget, Shape, Target
from icpi_ros.tasks.plane import Plane
from icpi_ros.tasks.strike_task import StrikeTask, goal_box, set_mass, strike_at, tilt_table

if TYPE_CHECKING:
    import mujoco

BLADE_HEIGHT = 0.010
FEET = 4
"""Feet of the puck in edge.xml."""
PUCK = Target("puck", RED, 0.03, Shape.DISC, height=0.02, colour=(0.9, 0.1, 0.1))


class Slide(StrikeTask):
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
    goal_space: ClassVar[ParameterSpace] = goal_box(0.38, 0.45, "the puck's")
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
    rest: ClassVar[RestRule] = RestRule(speed=0.01, window=0.1)
    max_duration: ClassVar[float] = 6.0
    strike: ClassVar[Strike] = strike_at(BLADE_HEIGHT)
    camera_target: ClassVar[CameraTarget | None] = CameraTarget(PUCK, Plane.level(0.01))
    sliding_pairs: ClassVar[tuple[str, ...]] = ("puck_table",)
    """Contact pairs of the scene that have the hidden friction."""

    def apply_physics(self, model: mujoco.MjModel, physics: Array) -> None:
        """Set friction, mass and tilt; see :meth:`Task.apply_physics`."""
        friction, mass, tilt = physics
        for pair in self.sliding_pairs:
            model.pair(pair).friction[:2] = friction
        set_mass(model, "puck", mass)
        tilt_table(model, tilt)


class SlideGc(Slide):
    """The same with a goal that varies over the goal region."""

    name: ClassVar[str] = "slide-gc"
    summary: ClassVar[str] = "slide with a goal that varies"
    goal_varies: ClassVar[bool] = True


class EdgeGc(SlideGc):
    """The same, goal and all, on a table that ends."""

    name: ClassVar[str] = "edge-gc"
    summary: ClassVar[str] = "slide-gc on a table that ends: too far, and the puck slides away"
    scene: ClassVar[str] = "edge.xml"
    camera_target: ClassVar[CameraTarget | None] = None  # the ramp is not in the table's plane
    sliding_pairs: ClassVar[tuple[str, ...]] = (
        *(f"table_{foot}" for foot in range(FEET)),
        *(f"ramp_{foot}" for foot in range(FEET)),
    )


SLIDE = Slide()
SLIDE_GC = SlideGc()
EDGE_GC = EdgeGc()
