"""The plane on which an object moves, with coordinates of its own."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, invalid
from icpi_ros.core.types import Array


@dataclass(frozen=True)
class Plane:
    """Plane of the points p with ``normal @ p = offset`` in frame ``base``.

    Attributes:
        axes: ``(2, 3)`` orthonormal directions of the plane's coordinates.
        offset: distance of the plane from the origin along its normal [m].
    """

    axes: Array
    offset: float

    def __post_init__(self) -> None:
        """Refuse axes that span no plane.

        Raises:
            InvalidValue: the axes are not orthonormal, or something is not finite.
        """
        if self.axes.shape != (2, 3) or not np.allclose(self.axes @ self.axes.T, np.eye(2)):
            raise InvalidValue("a plane needs two orthonormal axes (2, 3)")
        if not np.isfinite(self.offset):
            text = f"plane offset {self.offset} m: must be finite"
            raise invalid(text, "offset", self.offset, kind=Kind.NOT_FINITE, unit="m")

    @classmethod
    def level(cls, height: float) -> Plane:
        """Return the plane z = ``height`` [m], coordinates x and y."""
        return cls(np.eye(3)[:2], height)

    @classmethod
    def upright(cls, y: float) -> Plane:
        """Return the plane y = ``y`` [m], coordinates x and z."""
        # x cross z is -y.
        return cls(np.eye(3)[[0, 2]], -y)

    @cached_property
    def normal(self) -> Array:
        """``(3,)`` unit normal."""
        return np.cross(self.axes[0], self.axes[1])

    def flat(self, points: Array) -> Array:
        """Return the coordinates ``(..., 2)`` of points ``(..., 3)`` [m]."""
        return np.asarray(points @ self.axes.T)

    def lift(self, flat: Array) -> Array:
        """Return the points ``(..., 3)`` [m] at coordinates ``(..., 2)``."""
        return np.asarray(flat @ self.axes + self._foot)

    @cached_property
    def _foot(self) -> Array:
        return self.offset * self.normal
