"""The arm description seam: kinematics and limits, nothing about how it is driven."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from icpi_ros.types import Array


@dataclass(frozen=True)
class ArmLimits:
    """Limits that no motion may exceed; all required, none may be left out.

    Attributes:
        lower, upper: joint positions ``(n,)`` [rad].
        velocity: ``(n,)`` [rad/s].
        acceleration: ``(n,)`` [rad/s^2].
        workspace_lower, workspace_upper: box for the tool point ``(3,)`` [m], frame ``base``.
        tool_speed: largest speed of the tool point [m/s].
    """

    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    workspace_lower: Array
    workspace_upper: Array
    tool_speed: float


class Arm(ABC):
    """A serial arm with a tool; all maps are vectorised over leading axes."""

    name: ClassVar[str]
    joints: ClassVar[tuple[str, ...]]
    limits: ClassVar[ArmLimits]
    home: ClassVar[Array]
    """Joint positions ``(n,)`` [rad] at which simulation starts: clear of table and objects."""

    @abstractmethod
    def tool_pose(self, q: Array) -> tuple[Array, Array]:
        """Return tool point ``(..., 3)`` [m] and rotation ``(..., 3, 3)`` for q ``(..., n)``."""

    @abstractmethod
    def jacobian(self, q: Array) -> Array:
        """Return the geometric Jacobian ``(..., 6, n)`` of the tool point in frame ``base``."""

    @abstractmethod
    def inverse(self, position: Array, rotation: Array) -> Array:
        """Return joint positions ``(..., n)`` [rad] on one fixed branch; NaN where unreachable."""
