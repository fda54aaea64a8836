"""Detector of a coloured disc or ball in an image, to a small part of a pixel.

Two looks: a coarse one at every few pixels finds blobs of the right colour, a fine one at each
blob weighs its pixels by how much of the object they hold, so the centroid is not bound to whole
pixels.  What was found is compared with the outline that the camera must see there.
"""

from __future__ import annotations

from math import ceil, floor

import cv2
import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.perception.camera import Camera
from icpi_ros.perception.imaging.colour import Membership, Weights
from icpi_ros.perception.imaging.images import Box, Frame
from icpi_ros.perception.targets import Outline
from icpi_ros.perception.tracking_types import Detection, DetectorSettings
from icpi_ros.tasks.camera_target import Target
from icpi_ros.tasks.plane import Plane

COARSE_RADIUS = 2.5
"""Radius of the target in the coarse look [px]; a third of its area may be hidden."""
MARGIN = 4.0
"""Pixels around the outline that the fine look sees."""
_MAX_PIXEL = 1e5
DRAWN_EXCESS = 0.6
"""Pixels by which cv2.fillConvexPoly with LINE_AA draws a polygon too large."""
SUBPIXEL = 4
"""Binary places of polygon corners in cv2.fillConvexPoly."""


class Detector:
    """Detector of one kind of target on one plane, which holds its centre, with one camera."""

    def __init__(
        self, target: Target, camera: Camera, plane: Plane, settings: DetectorSettings | None = None
    ) -> None:
        """Prepare the colour test and the target's size by pixel."""
        self.target, self.camera, self.plane = target, camera, plane
        self.settings = settings or DetectorSettings()
        self._membership = Membership(target)
        inside = camera.intrinsics
        self._middle = np.array([0.5 * (inside.width - 1), 0.5 * (inside.height - 1)])
        self._scale = _scale(target, camera, plane)
        self._outline = Outline(target, camera, plane)

    def detect(
        self, frame: Frame, around: Array | None = None, reach: float = 0.0
    ) -> list[Detection]:
        """Return what looks like the target, best first.

        Args:
            frame: of the camera's size.
            around: ``(2,)`` pixel near which to look; None = everywhere.
            reach: how far from there the target's centre may be [px].

        Raises:
            InvalidValue: the frame's size is not the camera's.
        """
        self._check_size(frame)
        radius = self._radius_at(self._middle if around is None else around)
        if not np.isfinite(radius):
            return []
        box = frame.box
        if around is not None:
            box = _square(frame, around, reach + radius + MARGIN)
        if box.empty:
            return []
        found = (self._look(frame, blob) for blob in self._blobs(frame, box, radius))
        return sorted((d for d in found if d is not None), key=lambda d: -d.score)

    def _check_size(self, frame: Frame) -> None:
        inside, box = self.camera.intrinsics, frame.box
        if (box.right, box.bottom) != (inside.width, inside.height):
            raise InvalidValue(
                f"image of {box.right} x {box.bottom} px, but the camera is calibrated for "
                f"{inside.width} x {inside.height} px"
            )

    def _radius_at(self, pixel: Array) -> float:
        """Return about how large the target looks there [px]; NaN where the plane is not seen."""
        radius = float(self._scale[:2] @ pixel + self._scale[2])
        return radius if radius > 0.0 else float("nan")

    def _blobs(self, frame: Frame, box: Box, radius: float) -> list[Array]:
        """Return centres ``(2,)`` [px] of blobs of the target's colour, largest first."""
        stride = max(1, int(radius / COARSE_RADIUS))
        if frame.encoding.startswith("bayer") and stride > 1:
            stride -= stride % 2
            box = Box(box.left - box.left % 2, box.top - box.top % 2, box.right, box.bottom)
        thin, shift = frame.thinned(box, stride)
        contours, _ = cv2.findContours(
            self._membership.mask(thin), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE
        )
        # A contour's corners are pixel centres: a blob reaches half a pixel farther.
        boxes = [cv2.boundingRect(contour) for contour in contours]
        span = 2.0 * radius / stride
        likely = [b for b in boxes if max(b[2:]) > 0.4 * span and min(b[2:]) < 2.5 * span + 2.0]
        likely.sort(key=lambda b: -b[2] * b[3])
        corner = np.array([box.left + shift, box.top + shift])
        return [
            corner + stride * np.array([x + 0.5 * (w - 1), y + 0.5 * (h - 1)])
            for x, y, w, h in likely[: self.settings.max_candidates]
        ]

    def _look(self, frame: Frame, centre: Array) -> Detection | None:
        """Return the target near ``centre`` ``(2,)`` [px]; None if the blob is something else."""
        radius = self._radius_at(centre)
        if not np.isfinite(radius):
            return None
        box = _square(frame, centre, 1.6 * radius + MARGIN)
        corner = np.array([box.left, box.top], dtype=np.float64)
        weights = self._membership.weights(frame.patch(box), centre - corner)
        if weights is None:
            return None
        moments = cv2.moments(weights)
        area = moments["m00"]
        if area <= 0.0:
            return None
        centroid = corner + np.array([moments["m10"], moments["m01"]]) / area
        shape = self._outline_at(centroid)
        if shape is None:
            return None
        return self._judge(weights, moments, centroid, shape, corner)

    def _outline_at(self, centroid: Array) -> Array | None:
        """Return the outline ``(k, 2)`` [px] of a target whose centre is seen at ``centroid``."""
        plane = self.plane
        point = self.camera.on_plane(centroid[np.newaxis], plane.normal, plane.offset)[0]
        shape = self._outline.at(point)
        return shape if np.isfinite(shape).all() else None

    def _judge(
        self,
        weights: Weights,
        moments: dict[str, float],
        centroid: Array,
        shape: Array,
        corner: Array,
    ) -> Detection | None:
        limits = self.settings
        area = moments["m00"]
        expected = cv2.moments(shape.astype(np.float32))
        ratio = area / expected["m00"]
        trace = (moments["mu20"] + moments["mu02"]) / area
        circularity = min(1.0, area / (2.0 * np.pi * trace)) if trace > 0.0 else 0.0
        if not limits.min_area <= ratio <= limits.max_area:
            return None
        if circularity < limits.min_circularity:
            return None
        middle = np.array([expected["m10"], expected["m01"]]) / expected["m00"]
        radius = float(np.sqrt(expected["m00"] / np.pi))
        drawn = (shape - middle) * max(0.0, 1.0 - DRAWN_EXCESS / radius) + (centroid - corner)
        overlap = _overlap(weights, drawn, expected["m00"])
        if overlap < limits.min_score:
            return None
        # The outline's centroid is not where its centre projects to: perspective, height, lens.
        pixel = 2.0 * centroid - middle
        std = self._std(ratio, moments, radius)
        return Detection(pixel, area, circularity, overlap, std)

    def _std(self, ratio: float, moments: dict[str, float], radius: float) -> float:
        """Return the standard deviation of the centroid [px]; grows when hidden or blurred."""
        hidden = max(0.0, 0.92 - ratio) * radius
        elongation = np.hypot(moments["mu20"] - moments["mu02"], 2.0 * moments["mu11"])
        blur = np.sqrt(12.0 * elongation / moments["m00"])
        blurred = 0.03 * max(0.0, blur - 0.4 * radius)
        return float(np.sqrt(self.settings.std**2 + 0.02 / radius**2 + hidden**2 + blurred**2))


def _overlap(weights: Weights, shape: Array, expected: float) -> float:
    """Return intersection over union of a blob ``(h, w)`` and a convex outline ``(k, 2)``."""
    model = np.zeros(weights.shape, dtype=np.uint8)
    corners = np.rint(shape * (1 << SUBPIXEL)).astype(np.int32)
    cv2.fillConvexPoly(model, corners, 255, cv2.LINE_AA, SUBPIXEL)
    both = float(cv2.min(weights, model.astype(np.float32) * np.float32(1.0 / 255.0)).sum())
    return min(1.0, both / (float(weights.sum()) + expected - both))


def _square(frame: Frame, centre: Array, reach: float) -> Box:
    """Return the pixels within ``reach`` [px] of ``centre``, as far as they are in the image."""
    u, v = centre.tolist()
    reach = min(reach, _MAX_PIXEL)
    if not (abs(u) < _MAX_PIXEL and abs(v) < _MAX_PIXEL):
        return Box(0, 0, 0, 0)
    return frame.clip(
        Box(floor(u - reach), floor(v - reach), ceil(u + reach) + 1, ceil(v + reach) + 1)
    )


def _scale(target: Target, camera: Camera, plane: Plane) -> Array:
    """Return s ``(3,)``: a target at pixel (u, v) looks about ``s @ (u, v, 1)`` pixels large.

    The reciprocal depth of a plane is linear in the pixel; distortion is left out.
    """
    matrix = camera.intrinsics.matrix
    normal = camera.rotation @ plane.normal
    distance = plane.offset - float(plane.normal @ camera.position)
    if abs(distance) < target.radius:
        raise InvalidValue(f"the camera is {abs(distance):.3f} m from the plane of {target.name}")
    focal = float(np.sqrt(matrix[0, 0] * matrix[1, 1]))
    return np.asarray(focal * target.radius * normal @ np.linalg.inv(matrix) / distance)
