"""How much of a target does a pixel hold?"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from icpi_ros.perception.images import Bytes
from icpi_ros.perception.targets import Contrast, Target

Weights = NDArray[np.float32]

DEPTH = 255.0
HUE_STEPS = 2.0
"""Degrees per step of OpenCV's 8-bit hue."""
EMPTY, FULL = 0.1, 0.6
"""Shares of the object's own chroma at which a pixel counts as empty and as full: the shaded
limb of a ball is full, a neighbour with a trace of colour is empty."""
_NEAR = np.ones((5, 5), np.uint8)
_CROSS = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))


class Membership:
    """The colour test of one target.

    Args:
        target: whose colours count.
    """

    def __init__(self, target: Target) -> None:
        """See the class."""
        self._target = target
        low = (round(DEPTH * target.saturation), round(DEPTH * target.value))
        self._ranges = tuple(
            ((np.floor(start / HUE_STEPS), *low), (np.ceil(stop / HUE_STEPS), DEPTH, DEPTH))
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
        middle, step = float(np.median(patch)), DEPTH * self._target.step
        if self._target.contrast is Contrast.BRIGHT:
            found = cv2.inRange(patch, (min(middle + step, DEPTH + 1.0),), (DEPTH,))
        else:
            found = cv2.inRange(patch, (0.0,), (middle - step,))
        return np.asarray(found, dtype=np.uint8)

    def weights(self, patch: Bytes, seed: NDArray[np.float64]) -> Weights | None:
        """Return the share of each pixel that the blob at ``seed`` covers, ``(h, w)`` 0 to 1.

        Args:
            patch: around the blob, RGB or mono.
            seed: ``(2,)`` pixel of the patch near the blob's middle.

        None if nothing there has the target's colour.
        """
        blob = _blob_at(self.mask(patch), seed)
        if blob is None:
            return None
        near = cv2.dilate(blob, _NEAR)
        level = patch if patch.ndim == 2 else _chroma(patch, blob)
        level = level.astype(np.float32)
        away = cv2.bitwise_not(near)
        inside, outside = cv2.mean(level, blob)[0], cv2.mean(level, away)[0]
        if cv2.countNonZero(away) == 0 or abs(inside - outside) < 1.0:
            return None
        scale = np.float32(1.0 / ((inside - outside) * (FULL - EMPTY)))
        level *= scale
        level -= np.float32(outside * scale + EMPTY / (FULL - EMPTY))
        # OpenCV's limits: numpy.clip and masks take five times as long on a small patch.
        share = cv2.threshold(level, 0.0, 1.0, cv2.THRESH_TOZERO)[1]
        share = cv2.threshold(share, 1.0, 1.0, cv2.THRESH_TRUNC)[1]
        share = cv2.min(share, near.astype(np.float32))
        # A highlight has no colour, but lies inside.
        core = cv2.erode(blob, _CROSS, borderValue=0) & 1
        return np.asarray(cv2.max(share, core.astype(np.float32)), dtype=np.float32)


def _chroma(patch: Bytes, blob: Bytes) -> Weights:
    """Return how much of the blob's own colour each pixel has; grey of any brightness has none."""
    colour = np.array(cv2.mean(patch, blob)[:3])
    away = colour - colour.mean()
    axis = (away / max(float(np.linalg.norm(away)), 1e-6)).astype(np.float32)
    return np.asarray(cv2.transform(patch.astype(np.float32), axis[np.newaxis]), dtype=np.float32)


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
