"""Grey levels of an image as ROS sends it; no cv_bridge."""

from __future__ import annotations

import cv2
import numpy as np

from icpi_ros.errors import InvalidValue
from icpi_ros.perception.board import Gray

_CODES = {
    "rgb8": cv2.COLOR_RGB2GRAY,
    "bgr8": cv2.COLOR_BGR2GRAY,
    "rgba8": cv2.COLOR_RGBA2GRAY,
    "bgra8": cv2.COLOR_BGRA2GRAY,
    # OpenCV names a pattern by its second row's second and third pixel, ROS by its first two.
    "bayer_rggb8": cv2.COLOR_BayerBG2GRAY,
    "bayer_bggr8": cv2.COLOR_BayerRG2GRAY,
    "bayer_gbrg8": cv2.COLOR_BayerGR2GRAY,
    "bayer_grbg8": cv2.COLOR_BayerGB2GRAY,
}
_CHANNELS = {"rgb8": 3, "bgr8": 3, "rgba8": 4, "bgra8": 4}
ENCODINGS = ("mono8", *_CODES)


def to_gray(encoding: str, width: int, height: int, step: int, content: bytes | memoryview) -> Gray:
    """Return the grey levels of ``content``, rows of ``step`` bytes.

    Raises:
        InvalidValue: another encoding, no pixels, or fewer bytes than the size needs.
    """
    if encoding not in ENCODINGS:
        raise InvalidValue(f"image encoding {encoding!r}: allowed are {', '.join(ENCODINGS)}")
    channels = _CHANNELS.get(encoding, 1)
    data = np.frombuffer(content, dtype=np.uint8)
    if min(width, height) < 2 or step < width * channels or len(data) < step * height:
        raise InvalidValue(
            f"image of {width} x {height} px, {encoding}, step {step}, {len(data)} bytes: "
            "sizes do not fit"
        )
    rows = data[: step * height].reshape(height, step)[:, : width * channels]
    if encoding == "mono8":
        return rows.copy()
    pixels = np.ascontiguousarray(rows.reshape(height, width, channels) if channels > 1 else rows)
    return np.asarray(cv2.cvtColor(pixels, _CODES[encoding]), dtype=np.uint8)
