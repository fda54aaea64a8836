"""A distorting lens: which larger ideal picture to draw, and how to bend it."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.perception.camera import Camera, Intrinsics

ROUND_TRIP = 0.02
"""Largest error of a pixel that is undistorted and distorted again [px]."""
MAX_STRETCH = 2.0
"""Largest width and height of the ideal picture, in those of the image."""
MARGIN = 2
"""Pixels around the ideal picture for interpolation."""


@dataclass(frozen=True)
class Lens:
    """From an ideal picture to the image.

    Attributes:
        width, height: of the ideal picture [px].
        fovy: its vertical field of view [rad].
        columns, rows: ``(h, w)`` where in the ideal picture, lowest row first, each pixel of
            the image comes from [px].
    """

    width: int
    height: int
    fovy: float
    columns: NDArray[np.float32]
    rows: NDArray[np.float32]

    @classmethod
    def of(cls, intrinsics: Intrinsics) -> Lens:
        """Return the lens of a camera with square pixels and a centred axis.

        Raises:
            InvalidValue: the distortion has no inverse in the image, or needs too wide a view.
        """
        ideal = _undistorted(intrinsics)
        focal = float(intrinsics.matrix[1, 1])
        reach = focal * np.abs(ideal).max(axis=(0, 1))
        width, height = (2 * (int(np.ceil(r)) + MARGIN) for r in reach)
        if width > MAX_STRETCH * intrinsics.width or height > MAX_STRETCH * intrinsics.height:
            raise InvalidValue(
                f"distortion {_text(intrinsics.distortion)} needs a view of {width} x {height} px "
                f"for an image of {intrinsics.width} x {intrinsics.height} px: "
                f"at most {MAX_STRETCH:g} times as large"
            )
        columns = focal * ideal[..., 0] + 0.5 * (width - 1)
        rows = 0.5 * (height - 1) - focal * ideal[..., 1]  # OpenGL's lowest row comes first
        fovy = 2.0 * float(np.arctan(0.5 * height / focal))
        return cls(width, height, fovy, columns.astype(np.float32), rows.astype(np.float32))

    def bend(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """Return the image ``(h, w, 3)`` of an ideal picture, lowest row first."""
        bent = cv2.remap(picture, self.columns, self.rows, cv2.INTER_LINEAR)
        return np.asarray(bent, dtype=np.uint8)


def _undistorted(intrinsics: Intrinsics) -> Array:
    """Return ideal image coordinates ``(h, w, 2)`` at distance 1 of all pixels."""
    camera = Camera(intrinsics, np.eye(3), np.zeros(3))
    columns, rows = np.meshgrid(np.arange(intrinsics.width), np.arange(intrinsics.height))
    pixels = np.column_stack([columns.ravel(), rows.ravel()]).astype(np.float64)
    rays = camera.rays(pixels)
    off = np.abs(camera.project(rays) - pixels).max() if np.isfinite(rays).all() else np.inf
    if not off <= ROUND_TRIP:
        raise InvalidValue(
            f"distortion {_text(intrinsics.distortion)} folds the image: it has no inverse there"
        )
    return np.asarray(rays[:, :2].reshape(intrinsics.height, intrinsics.width, 2))


def _text(distortion: Array) -> str:
    return "[" + ", ".join(f"{value:g}" for value in distortion) + "]"
