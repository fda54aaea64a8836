"""Images of a target at a known place, painted without a renderer: for tests and timing."""

from __future__ import annotations

import cv2
import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.perception.camera import Camera, Intrinsics
from icpi_ros.perception.imaging.images import Bytes
from icpi_ros.perception.targets import outline
from icpi_ros.tasks.camera_target import Target
from icpi_ros.tasks.plane import Plane

TABLE = (0.85, 0.82, 0.75)
OVERSAMPLING = 8
FOVY = np.deg2rad(45.0)
_BITS = 4


def overhead(
    width: int, height: int, position: tuple[float, float, float] = (0.6, 0.25, 1.5)
) -> Camera:
    """Return the ideal camera of the scenes: looks down from ``position`` [m], 45 deg."""
    rotation = np.diag([1.0, -1.0, -1.0])
    return Camera(Intrinsics.pinhole(width, height, float(FOVY)), rotation, -rotation @ position)


def paint(image: Array, shape: Array, colour: tuple[float, float, float]) -> None:
    """Paint a convex outline ``(k, 2)`` [px] into ``image`` ``(h, w, 3)`` 0 to 1, anti-aliased."""
    low = np.floor(shape.min(axis=0)).astype(int) - 1
    high = np.ceil(shape.max(axis=0)).astype(int) + 2
    size = (high - low) * OVERSAMPLING
    fine = np.zeros((size[1], size[0]), np.uint8)
    # Pixel centres: the corner of pixel 0 lies at -0.5.
    corners = (shape - low + 0.5) * OVERSAMPLING - 0.5
    cv2.fillConvexPoly(fine, np.rint(corners * (1 << _BITS)).astype(np.int32), 255, 8, _BITS)
    share = fine.reshape(high[1] - low[1], OVERSAMPLING, high[0] - low[0], OVERSAMPLING)
    cover = share.mean(axis=(1, 3))[..., np.newaxis] / 255.0
    top, left = np.maximum(-low[::-1], 0)
    rows = slice(max(low[1], 0), min(high[1], image.shape[0]))
    columns = slice(max(low[0], 0), min(high[0], image.shape[1]))
    if rows.stop <= rows.start or columns.stop <= columns.start:
        return
    cover = cover[top : top + rows.stop - rows.start, left : left + columns.stop - columns.start]
    image[rows, columns] += cover * (np.array(colour) - image[rows, columns])


def scene(camera: Camera, background: tuple[float, float, float] = TABLE) -> Array:
    """Return an empty image ``(h, w, 3)``, 0 to 1."""
    inside = camera.intrinsics
    return np.tile(np.array(background), (inside.height, inside.width, 1))


def draw(
    camera: Camera, target: Target, plane: Plane, point: Array, image: Array | None = None
) -> Array:
    """Return an image ``(h, w, 3)``, 0 to 1, with ``target`` at ``point`` ``(3,)`` [m]."""
    image = scene(camera) if image is None else image
    paint(image, outline(target, camera, plane, point), target.colour)
    return image


def expose(image: Array, rng: np.random.Generator | None = None, noise: float = 0.0) -> Bytes:
    """Return the bytes of an image, 0 to 1, with white noise of ``noise`` steps of 255."""
    levels = np.multiply(image, 255.0, dtype=np.float32)
    if rng is not None and noise > 0.0:
        levels += np.float32(noise) * rng.standard_normal(image.shape, dtype=np.float32)
    np.rint(levels, out=levels)
    return np.clip(levels, 0, 255, out=levels).astype(np.uint8)
