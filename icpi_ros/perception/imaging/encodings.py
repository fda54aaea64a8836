"""Bytes of cameras as frames: raw images of every common driver, and compressed ones; no ROS.

Encodings that a :class:`~.images.Frame` keeps are views of the bytes received, the
others are converted to one of them.  Names and layouts are those of ``sensor_msgs``
(image_encodings.hpp), values are scaled as ``cv_bridge`` does.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import InvalidValue
from icpi_ros.perception.imaging.announced import announced_size
from icpi_ros.perception.imaging.images import CHANNELS, Bytes, Frame

_SAME = {"8UC1": "mono8", "8UC3": "bgr8", "8UC4": "bgra8", "16UC3": "bgr16", "16UC4": "bgra16"}
"""Encodings by number of channels, in the order of OpenCV, which wrote them."""
_PACKED = {"yuv422": "UYVY", "uyvy": "UYVY", "yuv422_yuy2": "YUY2", "yuyv": "YUY2"}
_YUV: Mapping[str, int] = {"UYVY": cv2.COLOR_YUV2RGB_UYVY, "YUY2": cv2.COLOR_YUV2RGB_YUY2}
_PLANES: Mapping[str, int] = {"nv21": cv2.COLOR_YUV2RGB_NV21, "nv12": cv2.COLOR_YUV2RGB_NV12}
_CELLS = ("rggb", "bggr", "gbrg", "grbg")
_COLOURS = ("mono16", "rgb16", "bgr16", "rgba16", "bgra16")
_DEEP = (*_COLOURS, *(f"bayer_{cells}16" for cells in _CELLS))
_SPARSE = 17
"""Stride of the values by which an image is called black; odd, so that all colours count."""
_DEPTHS = re.compile(r"(16UC1|32FC1|16SC1|64FC1)$")
SUPPORTED = (*CHANNELS, "rgba8", "bgra8", *_DEEP, *_SAME, *_PACKED, *_PLANES)
"""Encodings of raw images that can be used."""
_AS_STORED = cv2.IMREAD_ANYCOLOR | cv2.IMREAD_ANYDEPTH | cv2.IMREAD_IGNORE_ORIENTATION
"""A camera is calibrated with its pixels as they lie, whatever EXIF says."""
MAX_PIXELS = 2**26
"""Bound on a compressed image, whose size is only known from its own header [px]."""


@dataclass(frozen=True)
class _Raw:
    """Bytes of a message and what it says of them."""

    data: Bytes
    width: int
    height: int
    encoding: str
    step: int
    big_endian: bool

    def rows(self, depth: int, height: int | None = None) -> Bytes:
        """Return ``(height, width * depth)`` without the padding of the rows.

        Raises:
            InvalidValue: size, step and number of bytes do not fit together.
        """
        height = self.height if height is None else height
        if self.step < self.width * depth:
            raise InvalidValue(
                f"image step {self.step} B: a row of {self.width} px {self.encoding} needs "
                f"{self.width * depth} B"
            )
        if self.data.size != self.step * height:
            raise InvalidValue(
                f"image of {self.data.size} B: {height} rows of {self.step} B are "
                f"{self.step * height} B"
            )
        return self.data.reshape(height, self.step)[:, : self.width * depth]


def frame_of(msg: Any) -> Frame:
    """Return the image in a ``sensor_msgs/Image`` or ``CompressedImage``, live or of a bag.

    Raises:
        InvalidValue: see :func:`decode` and :func:`decompress`.
    """
    if hasattr(msg, "encoding"):
        big = bool(getattr(msg, "is_bigendian", 0))
        return decode(msg.data, msg.width, msg.height, msg.encoding, msg.step, big)
    return decompress(msg.data, msg.format)


def decode(
    data: bytes | bytearray | memoryview | Bytes,
    width: int,
    height: int,
    encoding: str,
    step: int,
    big_endian: bool = False,
) -> Frame:
    """Return the image in a message's bytes; a view of them where the encoding is kept.

    Args:
        data: row after row, ``step`` bytes each; any buffer.
        width: of the image [px].
        height: of the image [px].
        encoding: one of :data:`SUPPORTED`.
        step: bytes per row, padding included.
        big_endian: order of the bytes of a 16-bit value.

    Raises:
        InvalidValue: unknown encoding, or size, step and number of bytes do not fit together.
    """
    name = _SAME.get(encoding, encoding)
    read = _reader(name)
    if read is None:
        raise InvalidValue(_unsupported(encoding))
    if width < 1 or height < 1:
        raise InvalidValue(f"image of {width} x {height} px: must be positive")
    flat = np.frombuffer(data, dtype=np.uint8)
    return read(_Raw(flat, width, height, name, step, big_endian))


def _unsupported(encoding: str) -> str:
    shown = repr(encoding[:40])
    if _DEPTHS.match(encoding):
        return f"image encoding {shown} is that of a depth image: give the colour or mono topic"
    return f"image encoding {shown} is not supported: must be one of {', '.join(SUPPORTED)}"


def _reader(encoding: str) -> Callable[[_Raw], Frame] | None:
    if encoding in CHANNELS:
        return _kept
    if encoding in ("rgba8", "bgra8"):
        return _without_alpha
    if encoding in _DEEP:
        return _deep
    if encoding in _PACKED:
        return _packed
    return _planes if encoding in _PLANES else None


def _kept(raw: _Raw) -> Frame:
    depth = CHANNELS[raw.encoding]
    rows = raw.rows(depth)
    return Frame(rows.reshape(raw.height, raw.width, 3) if depth == 3 else rows, raw.encoding)


def _without_alpha(raw: _Raw) -> Frame:
    pixels = raw.rows(4).reshape(raw.height, raw.width, 4)
    return Frame(np.ascontiguousarray(pixels[..., :3]), raw.encoding.replace("a8", "8"))


def _deep(raw: _Raw) -> Frame:
    """Return the upper eight bits of the values that are used."""
    channels = {"mono": 1, "baye": 1, "rgba": 4, "bgra": 4}.get(raw.encoding[:4], 3)
    rows = np.ascontiguousarray(raw.rows(2 * channels)).view(">u2" if raw.big_endian else "<u2")
    levels = _upper_bits(rows)
    name = raw.encoding.removesuffix("16") + "8"
    if channels == 1:
        return Frame(levels, name)
    colours = levels.reshape(raw.height, raw.width, channels)[..., :3]
    return Frame(np.ascontiguousarray(colours), name.replace("a8", "8"))


def _upper_bits(values: NDArray[Any]) -> Bytes:
    """Return 16-bit values as 8-bit ones: the upper ones of those that are used."""
    used = _bits_in_use(int(values.max()), float(values.reshape(-1)[::_SPARSE].mean()))
    return np.asarray(values >> (used - 8)).astype(np.uint8)


def _bits_in_use(most: int, mean: float) -> int:
    """Return the bits that hold the values of a 16-bit image, up to ``most``.

    Industrial cameras send 10, 12 or 14 bits in the low ones; the encoding's own scale would leave
    4 to 64 of 256 grey levels.  Of 10 or 14 only an image is that is not black: no noise.
    """
    whole = 12 if most < 2**12 else 16
    dim = most < 2 ** (whole - 2) and mean >= 2 ** (whole - 6)
    return whole - 2 if dim else whole


def _packed(raw: _Raw) -> Frame:
    if raw.width % 2:
        raise InvalidValue(f"image of {raw.width} px across: {raw.encoding} has pairs of pixels")
    pairs = np.ascontiguousarray(raw.rows(2)).reshape(raw.height, raw.width, 2)
    return _rgb(pairs, _YUV[_PACKED[raw.encoding]])


def _planes(raw: _Raw) -> Frame:
    if raw.width % 2 or raw.height % 2:
        raise InvalidValue(
            f"image of {raw.width} x {raw.height} px: {raw.encoding} has cells of 2 x 2 pixels"
        )
    return _rgb(np.ascontiguousarray(raw.rows(1, raw.height * 3 // 2)), _PLANES[raw.encoding])


def _rgb(pixels: Bytes, code: int) -> Frame:
    return Frame(np.asarray(cv2.cvtColor(pixels, code), dtype=np.uint8), "rgb8")


def decompress(data: bytes | bytearray | memoryview | Bytes, form: str) -> Frame:
    """Return the image in the bytes of a ``CompressedImage`` (JPEG, PNG, WebP or TIFF).

    Args:
        data: the compressed file.
        form: field ``format`` of the message; only named in errors, and a depth image by it.

    Raises:
        InvalidValue: a depth image, cut off, too large, or no image at all.
    """
    shown = repr(form[:60])
    if "compressedDepth" in form:
        raise InvalidValue(f"compressed image of format {shown} is a depth image: give the colours")
    flat = np.frombuffer(data, dtype=np.uint8)
    size = announced_size(flat.tobytes())  # OpenCV would allocate it before it sees that it is none
    if size is not None and size[0] * size[1] > MAX_PIXELS:
        raise InvalidValue(f"compressed image of {size[0]} x {size[1]} px: too large")
    try:
        found = cv2.imdecode(flat, _AS_STORED) if size else None
    except cv2.error:
        found = None
    if found is None or found.dtype not in (np.uint8, np.uint16):
        raise InvalidValue(
            f"compressed image of {flat.size} B, format {shown}: cannot be read; it must be a "
            "JPEG, PNG, WebP or TIFF of 8 or 16 bits"
        )
    pixels = np.asarray(found) if found.dtype == np.uint8 else _upper_bits(found)
    return Frame(pixels.astype(np.uint8, copy=False), "mono8" if pixels.ndim == 2 else "bgr8")
