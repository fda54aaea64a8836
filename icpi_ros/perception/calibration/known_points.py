"""Points that are known in the image and in frame ``base``, and the check of their geometry."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import CalibrationFailed, InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.perception.camera import Intrinsics

MIN_POINTS = 4
FLAT = 0.02
"""Points whose thickness is below this share of their extent count as planar."""
MIN_WIDTH = 0.05
"""Points whose width is below this share of their extent count as collinear."""


@dataclass(frozen=True)
class KnownPoints:
    """Points that are known in the image and on the table.

    Attributes:
        pixels: ``(n, 2)`` as they are seen, with distortion.
        positions: ``(n, 3)`` in frame ``base`` [m].
        names: of the points, for messages.
    """

    pixels: Array
    positions: Array
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check the points.

        Raises:
            InvalidValue: shapes do not fit, or a value is not finite; names the point.
        """
        for name in ("pixels", "positions"):  # OpenCV refuses slices
            values = np.ascontiguousarray(getattr(self, name), dtype=np.float64)
            object.__setattr__(self, name, values)
        count = len(self.names)
        if self.pixels.shape != (count, 2) or self.positions.shape != (count, 3):
            raise InvalidValue(
                f"pixels {self.pixels.shape} and positions {self.positions.shape} of {count} "
                "points: must be (n, 2) and (n, 3)"
            )
        finite = np.isfinite(np.column_stack([self.pixels, self.positions])).all(axis=1)
        if not finite.all():
            raise InvalidValue(f"point {self.names[int(finite.argmin())]} is not finite")


def check(intrinsics: Intrinsics, points: KnownPoints) -> None:
    """Refuse points that cannot determine a pose.

    Raises:
        CalibrationFailed: too few, outside the image, equal, or on a line; names them.
    """
    count = len(points.names)
    if count < MIN_POINTS:
        raise CalibrationFailed(f"{count} points are too few: at least {MIN_POINTS} are needed")
    size = np.array([intrinsics.width, intrinsics.height])
    inside = ((points.pixels >= -0.5) & (points.pixels <= size - 0.5)).all(axis=1)
    if not inside.all():
        number = int(inside.argmin())
        u, v = points.pixels[number]
        raise CalibrationFailed(
            f"point {points.names[number]} at {u:g}, {v:g} px is outside the image of "
            f"{intrinsics.width} x {intrinsics.height} px"
        )
    for values, what in ((points.positions, "positions"), (points.pixels, "pixels")):
        apart = np.linalg.norm(values[:, np.newaxis] - values, axis=2)
        apart[np.diag_indices(count)] = np.inf
        if apart.min() < 1e-3 * np.ptp(values, axis=0).max() or not apart.min() > 0.0:
            one, two = np.unravel_index(int(apart.argmin()), apart.shape)
            raise CalibrationFailed(
                f"points {points.names[one]} and {points.names[two]} have the same {what}"
            )
        if _extents(values)[1] < MIN_WIDTH * _extents(values)[0]:
            raise CalibrationFailed(
                f"the {what} of the points lie on a line: use points that span an area"
            )


def _extents(values: Array) -> Array:
    """Return the size of a cloud of points along its principal axes, largest first."""
    return np.asarray(np.linalg.svd(values - values.mean(axis=0), compute_uv=False))


def plane_of(positions: Array) -> tuple[Array, float] | None:
    """Return normal and offset of the points' plane, the normal up; None if they have none."""
    sizes = _extents(positions)
    if len(sizes) > 2 and sizes[2] > FLAT * sizes[0]:
        return None
    middle, normal = flattest(positions)
    return normal, float(normal @ middle)


def flattest(positions: Array) -> tuple[Array, Array]:
    """Return the middle ``(3,)`` of points [m] and the direction in which they extend least.

    The direction is of length 1 and points up.
    """
    middle = positions.mean(axis=0)
    # Of the products, not of the points: their left vectors would be (n, n).
    axes = np.linalg.svd((positions - middle).T @ (positions - middle))[2]
    return middle, axes[2] * (1.0 if axes[2, 2] >= 0.0 else -1.0)
