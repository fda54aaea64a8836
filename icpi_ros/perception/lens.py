"""Lens models of ``sensor_msgs/CameraInfo`` (distortion_models.hpp), as OpenCV computes them.

``plumb_bob`` and ``rational_polynomial`` are OpenCV's polynomial model with 5 and 8 to 14
coefficients (docs, "Camera Calibration and 3D Reconstruction"), ``equidistant`` is its fisheye
model with 4 (docs, "Fisheye camera model").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import cv2
import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array

PLUMB_BOB, RATIONAL, EQUIDISTANT = "plumb_bob", "rational_polynomial", "equidistant"
COEFFICIENTS: Mapping[str, tuple[int, ...]] = {
    PLUMB_BOB: (5,),
    RATIONAL: (8, 12, 14),
    EQUIDISTANT: (4,),
}
"""Numbers of coefficients that each model may have."""
_ALIKE = {"": PLUMB_BOB, "none": PLUMB_BOB, "fisheye": EQUIDISTANT}
"""Other names that drivers give them."""
MOST = 14
_STILL, _SAME = np.zeros(3), np.eye(3)
_UNTIL = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 40, 1e-12)
for _constant in (_STILL, _SAME):
    _constant.setflags(write=False)


def lens_of(model: str, values: Sequence[float]) -> tuple[str, Array]:
    """Return the model and the coefficients that a driver or a file gives, in their full number.

    Zeros may be left out or added at the end, as several drivers do (``plumb_bob`` with 8 values
    whose last 3 are 0).

    Raises:
        InvalidValue: another model, or numbers that are not this model's.
    """
    name = _ALIKE.get(model, model)
    if name not in COEFFICIENTS:
        raise InvalidValue(
            f"distortion model {model[:40]!r}: must be one of {', '.join(COEFFICIENTS)}"
        )
    given = np.asarray(values, dtype=np.float64).reshape(-1)
    used = int(np.flatnonzero(given)[-1]) + 1 if given.any() else 0
    count = next((n for n in COEFFICIENTS[name] if n >= used), None)
    if count is None or len(given) > MOST:
        hint = f": with 8 it is {RATIONAL}" if name == PLUMB_BOB and 5 < used <= MOST else ""
        raise InvalidValue(
            f"distortion model {model!r} with {len(given)} values: {name} has "
            f"{' or '.join(map(str, COEFFICIENTS[name]))}{hint}"
        )
    full = np.zeros(count)
    full[:used] = given[:used]
    return name, full


def seen(model: str, points: Array, matrix: Array, distortion: Array) -> Array:
    """Return pixels ``(n, 2)`` of points ``(n, 3)`` [m] in the optical frame."""
    shaped = points.reshape(-1, 1, 3)
    if model == EQUIDISTANT:
        pixels = cv2.fisheye.projectPoints(shaped, _STILL, _STILL, matrix, distortion)[0]
    else:
        pixels = cv2.projectPoints(shaped, _STILL, _STILL, matrix, distortion)[0]
    return np.asarray(pixels, dtype=np.float64).reshape(-1, 2)


def straight(model: str, pixels: Array, matrix: Array, distortion: Array) -> Array:
    """Return where rays of pixels ``(n, 2)`` meet the plane z = 1, ``(n, 2)``, right or wrong."""
    shaped = np.ascontiguousarray(pixels, dtype=np.float64).reshape(-1, 1, 2)
    if model == EQUIDISTANT:
        found = cv2.fisheye.undistortPoints(
            shaped, matrix, distortion, R=_SAME, P=_SAME, criteria=_UNTIL
        )
    else:
        found = cv2.undistortPointsIter(shaped, matrix, distortion, _SAME, _SAME, _UNTIL)
    return np.asarray(found, dtype=np.float64).reshape(-1, 2)
