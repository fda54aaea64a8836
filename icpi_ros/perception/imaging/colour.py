"""Share of each pixel that is covered by a coloured target."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

import cv2
import numpy as np
from numpy.typing import NDArray

from icpi_ros.perception.imaging.images import Bytes
from icpi_ros.tasks.camera_target import Contrast, Target

Weights = NDArray[np.float32]

MAX_LEVEL = 255.0
"""Largest grey level."""
HUE_STEPS = 2.0
"""Degrees per step of OpenCV's 8-bit hue."""
EMPTY_SHARE, FULL_SHARE = 0.05, 0.95
"""Shares at which a pixel counts as empty and as full; cut off, because they are mostly noise."""
SHADE_FACTOR = 2.5
"""A pixel whose chroma is more than one over this of the mean may be the object in the shade."""
MIN_CONTRAST = 10.0
"""Least contrast to the surroundings [grey levels]."""
DARK_LEVEL = 25.0
"""Surroundings with less light besides the object's colour count as black [grey levels]."""
_NEAR = np.ones((5, 5), np.uint8)
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


class Membership:
    """The colour test of one target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        low = (round(MAX_LEVEL * target.saturation), round(MAX_LEVEL * target.value))
        self._ranges = tuple(
            ((np.floor(start / HUE_STEPS), *low), (np.ceil(stop / HUE_STEPS), MAX_LEVEL, MAX_LEVEL))
            for start, stop in target.hues
        )

    def mask(self, patch: Bytes) -> Bytes:
        """Return 255 where ``patch`` ``(h, w, 3)`` RGB or ``(h, w)`` mono has the target's colour.

        Without colours: where it is brighter or darker than the patch's median.
        """
        if patch.ndim == 2:
            return self._mono_mask(patch)
        hsv = cv2.cvtColor(patch, cv2.COLOR_RGB2HSV)
        found = cv2.inRange(hsv, *self._ranges[0])
        for span in self._ranges[1:]:
            found = cv2.bitwise_or(found, cv2.inRange(hsv, *span))
        return np.asarray(found, dtype=np.uint8)

    def _mono_mask(self, patch: Bytes) -> Bytes:
        middle, step = float(np.median(patch)), MAX_LEVEL * self._target.step
        if self._target.contrast is Contrast.BRIGHT:
            found = cv2.inRange(patch, (min(middle + step, MAX_LEVEL + 1.0),), (MAX_LEVEL,))
        else:
            found = cv2.inRange(patch, (0.0,), (middle - step,))
        return np.asarray(found, dtype=np.uint8)

    def weights(self, patch: Bytes, seed: NDArray[np.float64]) -> Weights | None:
        """Return the share ``(h, w)`` of each pixel of a patch that the blob at ``(2,)`` covers.

        None if nothing there has the target's colour.
        """
        blob = _blob_at(self.mask(patch), seed)
        if blob is None:
            return None
        near = cv2.dilate(blob, _NEAR)
        away = cv2.bitwise_not(near)
        if cv2.countNonZero(away) == 0:
            return None
        inside, outside = cv2.mean(patch, blob), cv2.mean(patch, away)
        rows = _contrast(inside[0], outside[0]) if patch.ndim == 2 else _unmixing(inside, outside)
        if rows is None:
            return None
        share = cv2.transform(patch.astype(np.float32), rows)
        if share.ndim == 3:
            share = cv2.min(*cv2.split(share))
        # OpenCV's limits: numpy.clip and masks take five times as long on a small patch.
        share = cv2.threshold(share, 0.0, 1.0, cv2.THRESH_TOZERO)[1]
        share = cv2.threshold(share, 1.0, 1.0, cv2.THRESH_TRUNC)[1]
        share = cv2.min(share, near.astype(np.float32))
        # A highlight has no colour, but lies inside.
        core = cv2.erode(blob, _CROSS, borderValue=0).astype(np.float32)
        core *= np.float32(1.0 / MAX_LEVEL)
        return np.asarray(cv2.max(share, core), dtype=np.float32)


def _contrast(inside: float, outside: float) -> Weights | None:
    """Return an affine map ``(1, 2)`` from level to share; None if there is no contrast."""
    step = inside - outside
    return None if abs(step) < MIN_CONTRAST else _soft([[1.0 / step, -outside / step]])


def _unmixing(inside: Sequence[float], outside: Sequence[float]) -> Weights | None:
    """Return affine maps ``(2, 4)`` from RGB to two bounds of the share; None without contrast.

    A pixel is ``share * shade * inside + (1 - share) * outside`` with unknown shading.  The part
    of ``outside`` in it gives the share whatever the shade, but takes a dark occluder for the
    object; the chroma of ``inside`` in it does not, but shrinks with the shade.
    """
    # Plain floats: numpy takes four times as long for three numbers, in every frame.
    object_, around = inside[:3], outside[:3]
    grey = (object_[0] + object_[1] + object_[2]) / 3.0
    chroma = (object_[0] - grey, object_[1] - grey, object_[2] - grey)
    length = max(sqrt(_dot(chroma, chroma)), 1.0)
    step = (_dot(chroma, object_) - _dot(chroma, around)) / length
    if step < MIN_CONTRAST:
        return None
    clear = [SHADE_FACTOR * c / (length * step) for c in chroma]
    clear.append(-SHADE_FACTOR * _dot(chroma, around) / (length * step))
    along = _dot(object_, around) / _dot(object_, object_)
    across = [b - along * o for o, b in zip(object_, around, strict=True)]
    reach = _dot(across, across)
    if reach < DARK_LEVEL**2:
        # Next to black, shading and covering look the same.
        return _soft([clear])
    return _soft([clear, [*(-a / reach for a in across), 1.0]])


def _soft(rows: list[list[float]]) -> Weights:
    """Return maps to the share with its noisy ends cut off."""
    for row in rows:
        row[-1] -= EMPTY_SHARE
    scale = FULL_SHARE - EMPTY_SHARE
    return np.array([[value / scale for value in row] for row in rows], dtype=np.float32)


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def _blob_at(mask: Bytes, seed: NDArray[np.float64]) -> Bytes | None:
    """Return the filled blob of a mask whose box reaches closest to ``seed``, as 0 and 255."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return None
    place = (float(seed[0]), float(seed[1]))
    best = contours[0]
    if len(contours) > 1:
        # Of single noisy pixels and the blob, the blob: distance counts less than size.
        best = max(contours, key=lambda c: cv2.pointPolygonTest(c, place, True) + len(c) ** 0.5)
    blob = np.zeros_like(mask)
    cv2.drawContours(blob, [best], -1, 255, cv2.FILLED)
    return blob
