"""UR5e on a pedestal, holding a stick of 0.4 m from whose end a rope hangs.

The base stands 1.3 m above the ground (the plane z = -1.3 in frame ``base``), so that a rope of
0.7 m below the lowest tool point stays clear of it.
"""

from __future__ import annotations

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.robots.base import ArmLimits, Capsule
from icpi_ros.robots.ur5e import D6, UR5E, Ur5e

PEDESTAL_HEIGHT = 1.3
"""Height of the base above the ground [m]."""


class Ur5eStick(Ur5e):
    """UR5e with the stick; the tool point is the stick's end, the tool's z axis lies along it.

    Attributes as :class:`Ur5e`: ``tool_length`` [m], ``home`` ``(6,)`` [rad].
    """

    name: str = "ur5e_stick"
    tool_length: float = 0.4
    home: Array = np.deg2rad([180.0, -70.0, 150.0, -170.0, -90.0, 0.0])

    # Joint limits as the UR5e's.  The box and the speed hold all swings of the task rope-swing
    # (measured: x -1.28 to 0.87, z -0.32 to 1.41 m, 6.5 m/s) with a margin of 5 to 10 cm; from
    # its floor a rope of 0.8 m still ends 0.1 m above the ground.
    limits: ArmLimits = ArmLimits(
        lower=UR5E.limits.lower,
        upper=UR5E.limits.upper,
        velocity=UR5E.limits.velocity,
        acceleration=UR5E.limits.acceleration,
        workspace_lower=np.array([-1.36, -0.10, -0.40]),
        workspace_upper=np.array([0.95, 0.36, 1.50]),
        tool_speed=7.0,
        tool_mass=0.3,
        tool_energy=7.4,
    )

    tool: tuple[Capsule, ...] = (
        Capsule("stick", 6, np.array([0, 0, D6]), np.array([0, 0, D6 + tool_length]), 0.01),
    )


UR5E_STICK = Ur5eStick()
