"""Arm that is all data: any serial arm of six or more revolute joints."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.files import HashedFile
from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm, ArmLimits, Capsule, maps_of
from icpi_ros.robots.kinematics import Chain, IkSolver


@dataclass(frozen=True)
class Servos:
    """Position servos with damping of the simulated arm; rough values do.

    Attributes:
        kp: ``(n,)`` stiffness [N m/rad].
        kv: ``(n,)`` damping [N m s/rad].
        torque: ``(n,)`` largest torque [N m].
    """

    kp: Array
    kv: Array
    torque: Array


@dataclass(frozen=True)
class Description:
    """All data of an arm, checked by its reader.

    Attributes:
        name: of the arm with this tool.
        source: of the numbers, at least one line.
        joints: names, ``n`` of them.
        chain: geometry, tool included.
        flange: ``(4, 4)`` the flange in the frame of the last link [m].
        limits: see :class:`ArmLimits`.
        home: ``(n,)`` [rad].
        collision_geometry: pieces, the tool's included.
        masses: of the pieces, for the simulation [kg].
        servos: of the simulation.
        strike_deceleration: see :attr:`Arm.strike_deceleration` [m/s^2].
        files: that it was read from; empty = none.
    """

    name: str
    source: tuple[str, ...]
    joints: tuple[str, ...]
    chain: Chain
    flange: Array
    limits: ArmLimits
    home: Array
    collision_geometry: tuple[Capsule, ...]
    masses: tuple[float, ...]
    servos: Servos
    strike_deceleration: float = math.inf
    files: tuple[HashedFile, ...] = ()


class DescribedArm(Arm):
    """The arm of a :class:`Description`.

    Attributes:
        description: its data.
    """

    def __init__(self, description: Description) -> None:
        """Make the arm; nothing is checked here."""
        self.description = description
        self.name, self.joints = description.name, description.joints
        self.limits, self.home = description.limits, description.home
        self.strike_deceleration = description.strike_deceleration
        self._chain = description.chain
        self._ik = IkSolver(self._chain, self.home, self.limits.lower, self.limits.upper)

    @property
    def collision_geometry(self) -> tuple[Capsule, ...]:
        """See :attr:`Arm.collision_geometry`."""
        return self.description.collision_geometry

    def links(self, q: Array) -> Array:
        """See :meth:`Arm.links`."""
        return self._chain.links(np.asarray(q))

    def tool_pose(self, q: Array) -> tuple[Array, Array]:
        """See :meth:`Arm.tool_pose`."""
        frame = self._chain.tool_frame(self._chain.links(np.asarray(q)))
        return frame[..., :3, 3], frame[..., :3, :3]

    def jacobian(self, q: Array) -> Array:
        """See :meth:`Arm.jacobian`."""
        return self._chain.jacobian(np.asarray(q))

    def kinematics(self, q: Array) -> tuple[Array, Array, Array]:
        """See :meth:`Arm.kinematics`."""
        if maps_of(self) != _MAPS:
            return super().kinematics(q)
        links = self._chain.links(np.asarray(q))
        point = self._chain.tool_frame(links)[..., :3, 3]
        return links, self._chain.jacobian_of(links, point), point

    def ik(self, position: Array, rotation: Array) -> Array:
        """See :meth:`Arm.ik`; of more than six joints the answer nearest to ``home``."""
        return self._ik.solve(np.asarray(position), np.asarray(rotation))

    def differential_ik(self, q: Array) -> Array:
        """See :meth:`Arm.differential_ik`."""
        return self._ik.differential_ik(np.asarray(q))


_MAPS = maps_of(DescribedArm)
