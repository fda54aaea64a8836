"""Picture of a frame with the tracker's result drawn into it, for people."""

from __future__ import annotations

from math import ceil
from typing import Protocol

import cv2
import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.perception.detector import Detector
from icpi_ros.perception.imaging.images import Bytes, Frame
from icpi_ros.perception.targets import outline
from icpi_ros.perception.tracking_types import TrackedFrame
from icpi_ros.tasks.plane import Plane

Colour = tuple[int, int, int]

OBJECT: Colour = (0, 110, 255)
"""Blue."""
GATE: Colour = (0, 0, 0)
"""Black."""
CANDIDATE: Colour = (230, 0, 230)
"""Magenta: not taken."""
_BLACK: Colour = (0, 0, 0)
_WHITE: Colour = (255, 255, 255)
MIN_WIDTH = 640
"""A smaller image is enlarged by a whole number, so that lines and text can be read [px]."""
STRIP = 26
"""Height of the line of text below the image [px]."""
_SHIFT = 4
_LIMIT = 20_000.0
"""Pixels farther out are not drawn: OpenCV's integers overflow."""


class DrawnTracker(Protocol):
    """Detector and plane of a tracker, as far as a drawing needs them."""

    detector: Detector
    plane: Plane


def draw(frame: Frame, tracked: TrackedFrame, tracker: DrawnTracker) -> Bytes:
    """Return a picture ``(h, w, 3)`` RGB of a frame with its detections, and a line of text.

    Blue: outline of the object, where the measurement puts it.  Black and white circle: the gate,
    where it was looked for.  Magenta: candidates that were not taken, with their score.
    """
    picture, scale = _enlarged(frame)
    if tracked.expected is not None:
        pixel, reach = tracked.expected
        _circle(picture, pixel, reach, scale)
    state = tracked.state
    for detection in tracked.detections:
        taken = state.measured and detection is state.detection
        shape = _shape(detection.pixel, tracker)
        _polygon(picture, shape, scale, OBJECT if taken else CANDIDATE)
        if not taken and np.isfinite(shape).all():
            corner = _scaled(np.array([shape[:, 0].max() + 3.0, shape[:, 1].mean()]), scale)
            _text(picture, f"{detection.score:.2f}", corner, 0.45, _WHITE)
    strip = np.zeros((STRIP, picture.shape[1], 3), dtype=np.uint8)
    _text(strip, caption(tracked), np.array([6.0, STRIP - 8.0]), 0.5, _WHITE)
    return np.vstack([picture, strip])


def caption(tracked: TrackedFrame) -> str:
    """Return one line: time [s], position [mm] and score, or the reason why there is none."""
    state = tracked.state
    words = [f"{state.stamp_ns * 1e-9 % 10_000.0:.3f} s"]
    if state.measured and state.detection is not None:
        place = ", ".join(f"{1e3 * value:.1f}" for value in state.position)
        words += [f"at {place} mm", f"score {state.detection.score:.2f}"]
    else:
        words.append(f"no position: {state.rejected.value}")
    others = len(tracked.detections) - int(state.measured)
    if others:
        words.append(f"{others} not taken")
    return "  ".join(words)


def _enlarged(frame: Frame) -> tuple[Bytes, int]:
    image = frame.patch(frame.box)
    if image.ndim == 2:
        image = np.asarray(cv2.cvtColor(image, cv2.COLOR_GRAY2RGB), dtype=np.uint8)
    scale = max(1, ceil(MIN_WIDTH / image.shape[1]))
    scale = min(scale, 4)
    large = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_NEAREST)
    return np.ascontiguousarray(large, dtype=np.uint8), scale


def _shape(pixel: Array, tracker: DrawnTracker) -> Array:
    """Return the outline ``(k, 2)`` [px] of an object whose centre projects to ``pixel``."""
    camera, plane = tracker.detector.camera, tracker.plane
    point = camera.on_plane(pixel[np.newaxis], plane.normal, plane.offset)[0]
    return outline(tracker.detector.target, camera, plane, point)


def _scaled(pixels: Array, scale: int) -> Array:
    """Return where pixels are in the enlarged image; the centre of pixel 0 moves."""
    return scale * (pixels + 0.5) - 0.5


def _polygon(picture: Bytes, shape: Array, scale: int, colour: Colour) -> None:
    corners = _scaled(shape, scale)
    if not (np.isfinite(corners).all() and np.abs(corners).max() < _LIMIT):
        return
    fixed = np.rint(corners * (1 << _SHIFT)).astype(np.int32)
    cv2.polylines(picture, [fixed], True, colour, 2, cv2.LINE_AA, _SHIFT)


def _circle(picture: Bytes, centre: Array, reach: float, scale: int) -> None:
    middle, radius = _scaled(centre, scale), scale * reach
    if not (np.abs(middle).max() < _LIMIT and radius < _LIMIT):
        return
    u, v = (round(value * (1 << _SHIFT)) for value in middle.tolist())
    for width, ink in ((3, _WHITE), (1, GATE)):  # seen on any ground
        cv2.circle(picture, (u, v), round(radius * (1 << _SHIFT)), ink, width, cv2.LINE_AA, _SHIFT)


def _text(picture: Bytes, text: str, corner: Array, size: float, colour: Colour) -> None:
    """Write from the lower left ``corner`` [px]; smaller where the line is too long."""
    font = cv2.FONT_HERSHEY_SIMPLEX
    (width, _), _ = cv2.getTextSize(text, font, size, 1)
    room = picture.shape[1] - 2.0 * float(corner[0])
    if width > room > 0.6 * width:
        size *= room / width
    where = round(float(corner[0])), round(float(corner[1]))
    for thick, ink in ((3, _BLACK), (1, colour)):
        cv2.putText(picture, text, where, font, size, ink, thick, cv2.LINE_AA)
