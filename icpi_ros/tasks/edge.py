"""Edge: slide a puck to a goal a few centimetres before the edge of the table.

``slide-gc`` with a table that ends: a puck that goes too far slides down a ramp to a board and lies
there, 0.3 m behind the edge.  Its place at rest is measured there, too: the error is finite, but the
outcome jumps, and of a puck that fell it no longer shows how much too fast it was.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from icpi_ros.core.types import Array
from icpi_ros.tasks.camera_target import CameraTarget
from icpi_ros.tasks.slide import SlideGc
from icpi_ros.tasks.strike_task import set_mass, tilt_table

if TYPE_CHECKING:
    import mujoco

FEET = range(4)


class EdgeGc(SlideGc):
    """Puck on a table that ends behind the goals; theta = (speed, heading), as ``slide-gc``."""

    name: ClassVar[str] = "edge-gc"
    summary: ClassVar[str] = "slide-gc on a table that ends: too far, and the puck slides away"
    scene: ClassVar[str] = "edge.xml"
    revision: ClassVar[int] = 1
    camera_target: ClassVar[CameraTarget | None] = None  # the ramp is not in the table's plane

    def apply_physics(self, model: mujoco.MjModel, physics: Array) -> None:
        """Set friction of table and ramp, mass and tilt; see :meth:`Task.apply_physics`."""
        friction, mass, tilt = physics
        for surface in ("table", "ramp"):
            for foot in FEET:
                model.pair(f"{surface}_{foot}").friction[:2] = friction
        set_mass(model, "puck", mass)
        tilt_table(model, tilt)


EDGE_GC = EdgeGc()
