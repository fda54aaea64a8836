"""A camera image as it came, in one of the encodings of ``sensor_msgs/Image`` that are kept.

Nothing is converted until a part of the image is looked at: colours of a small region cost
microseconds, those of a whole Bayer image a millisecond.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import InvalidValue

Bytes = NDArray[np.uint8]

CHANNELS = {
    "rgb8": 3,
    "bgr8": 3,
    "mono8": 1,
    "bayer_rggb8": 1,
    "bayer_bggr8": 1,
    "bayer_gbrg8": 1,
    "bayer_grbg8": 1,
}
"""Bytes per pixel of every encoding that is kept; :mod:`.encodings` makes one of them of others."""

_RGGB, _BGGR = cv2.COLOR_BayerRGGB2RGB, cv2.COLOR_BayerBGGR2RGB
_GBRG, _GRBG = cv2.COLOR_BayerGBRG2RGB, cv2.COLOR_BayerGRBG2RGB
_DEMOSAIC = {"bayer_rggb8": _RGGB, "bayer_bggr8": _BGGR, "bayer_gbrg8": _GBRG, "bayer_grbg8": _GRBG}
_CELL = {
    "bayer_rggb8": ((0, 0), (0, 1), (1, 1)),
    "bayer_bggr8": ((1, 1), (0, 1), (0, 0)),
    "bayer_gbrg8": ((1, 0), (0, 0), (0, 1)),
    "bayer_grbg8": ((0, 1), (0, 0), (1, 0)),
}
"""Row and column of red, one green and blue in a cell of 2 x 2 pixels."""
_MARGIN = 2
"""Pixels around a Bayer region that its interpolation looks at; even keeps the cells."""


@dataclass(frozen=True)
class Box:
    """A region of pixels: ``left <= u < right``, ``top <= v < bottom``."""

    left: int
    top: int
    right: int
    bottom: int

    @property
    def empty(self) -> bool:
        """True if it holds no pixel."""
        return self.right <= self.left or self.bottom <= self.top


@dataclass(frozen=True)
class Frame:
    """An image as the camera sent it.

    Attributes:
        pixels: ``(h, w, 3)`` for rgb8 and bgr8, else ``(h, w)``; a view of the bytes received.
        encoding: one of :data:`CHANNELS`.
    """

    pixels: Bytes
    encoding: str

    def __post_init__(self) -> None:
        """Refuse pixels that do not fit the encoding.

        Raises:
            InvalidValue: unknown encoding, wrong shape or type.
        """
        depth = _channels(self.encoding)
        good = self.pixels.ndim == (3 if depth == 3 else 2) and self.pixels.dtype == np.uint8
        if not good or (depth == 3 and self.pixels.shape[2] != 3):
            raise InvalidValue(
                f"{self.encoding} image of shape {self.pixels.shape} and type "
                f"{self.pixels.dtype}: must be {'(h, w, 3)' if depth == 3 else '(h, w)'} of uint8"
            )

    @property
    def mono(self) -> bool:
        """True if the image has no colours."""
        return self.encoding == "mono8"

    @property
    def box(self) -> Box:
        """The whole image."""
        return Box(0, 0, self.pixels.shape[1], self.pixels.shape[0])

    def clip(self, box: Box) -> Box:
        """Return the part of ``box`` inside the image; it may be empty."""
        height, width = self.pixels.shape[:2]
        return Box(
            max(box.left, 0), max(box.top, 0), min(box.right, width), min(box.bottom, height)
        )

    def patch(self, box: Box) -> Bytes:
        """Return the pixels of ``box`` (inside the image): ``(h, w, 3)`` RGB or ``(h, w)`` mono."""
        if self.encoding in _DEMOSAIC:
            return self._demosaic(box)
        part = self.pixels[box.top : box.bottom, box.left : box.right]
        if self.encoding == "bgr8":
            return np.asarray(cv2.cvtColor(part, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        return part

    def gray(self) -> Bytes:
        """Return the grey levels ``(h, w)`` of the whole image, as a copy."""
        whole = self.patch(self.box)
        if self.mono:
            return whole.copy()
        return np.asarray(cv2.cvtColor(whole, cv2.COLOR_RGB2GRAY), dtype=np.uint8)

    def thinned(self, box: Box, stride: int) -> tuple[Bytes, float]:
        """Return every ``stride``-th pixel of ``box``, and their shift from the grid's corner [px].

        Pixel (0, 0) of the answer lies at ``(box.left + shift, box.top + shift)``.  A Bayer
        image gives one RGB pixel per cell, without interpolation.
        """
        if stride == 1:
            return self.patch(box), 0.0
        if self.encoding in _CELL:
            return self._cells(box, stride), 0.5
        part = self.pixels[box.top : box.bottom, box.left : box.right]
        size = len(range(0, part.shape[1], stride)), len(range(0, part.shape[0], stride))
        # Twice as fast as slicing and copying; it picks the pixels stride * index.
        trimmed = part[: size[1] * stride, : size[0] * stride]
        if trimmed.shape[1] % stride or trimmed.shape[0] % stride:
            thin = np.ascontiguousarray(part[::stride, ::stride])
        else:
            thin = np.asarray(cv2.resize(trimmed, size, interpolation=cv2.INTER_NEAREST))
        if self.encoding == "bgr8":
            thin = np.asarray(cv2.cvtColor(thin, cv2.COLOR_BGR2RGB), dtype=np.uint8)
        return thin, 0.0

    def _demosaic(self, box: Box) -> Bytes:
        left, top = (max(0, (low - _MARGIN) // 2 * 2) for low in (box.left, box.top))
        raw = self.pixels[top : box.bottom + _MARGIN, left : box.right + _MARGIN]
        if min(raw.shape) < 3:
            raise InvalidValue(f"a Bayer image of {raw.shape[1]} x {raw.shape[0]} px is too small")
        colours = cv2.cvtColor(np.ascontiguousarray(raw), _DEMOSAIC[self.encoding])
        inside = colours[box.top - top : box.bottom - top, box.left - left : box.right - left]
        return np.ascontiguousarray(inside, dtype=np.uint8)

    def _cells(self, box: Box, stride: int) -> Bytes:
        even = stride + stride % 2
        if even != stride or box.left % 2 or box.top % 2:
            raise InvalidValue("a Bayer image is thinned in whole cells: even stride and corner")
        part = self.pixels[box.top : box.bottom, box.left : box.right]
        planes = [part[row::stride, column::stride] for row, column in _CELL[self.encoding]]
        height, width = (min(p.shape[axis] for p in planes) for axis in (0, 1))
        return np.ascontiguousarray(np.dstack([p[:height, :width] for p in planes]))


def _channels(encoding: str) -> int:
    if encoding not in CHANNELS:
        raise InvalidValue(f"image encoding {encoding!r}: must be one of {', '.join(CHANNELS)}")
    return CHANNELS[encoding]
