"""Markers (ArUco, AprilTag) at known places as known points of a camera."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

import cv2
import numpy as np

from icpi_ros.core.errors import CalibrationFailed, InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.perception.calibration.board import Gray, dictionary
from icpi_ros.perception.calibration.known_points import KnownPoints

CORNERS = ("upper left", "upper right", "lower right", "lower left")
MAX_MOTION = 2.0
"""A marker that moves by more between the images is not fixed [px]."""
EDGE_REACH = 0.7
"""Half-width of the search across an edge [modules]: border and margin are one wide."""
EDGE_SPAN = 0.08, 0.92
"""Part of an edge that is used: near its ends the other edges blur it."""
EDGE_STEP = 0.25
"""Distance of samples across an edge [px]."""
EDGE_SAMPLES = 24
"""Samples along an edge."""
EDGE_ROUNDS = 3
MIN_CONTRAST = 20.0
"""Grey levels between margin and border; below that an edge is not trusted."""


@dataclass(frozen=True)
class Marker:
    """A marker that is glued to a known place.

    Attributes:
        number: its id in the dictionary.
        size: side with the black border [m].
        position: ``(3,)`` its centre in frame ``base`` [m].
        rotation: ``(3, 3)`` columns: to the right, up, out of the paper, in frame ``base``.
    """

    number: int
    size: float
    position: Array
    rotation: Array

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            InvalidValue: the size is not positive, a value not finite, or the rotation not one.
        """
        finite = np.isfinite(self.position).all() and np.isfinite(self.rotation).all()
        if not (finite and np.isfinite(self.size) and self.size > 0.0):
            raise InvalidValue(f"marker {self.number}: size and pose must be finite, size positive")
        off = np.abs(self.rotation @ self.rotation.T - np.eye(3)).max()
        if off > 1e-6 or np.linalg.det(self.rotation) < 0.0:
            raise InvalidValue(f"marker {self.number}: its rotation is not a rotation matrix")

    @classmethod
    def flat(cls, number: int, size: float, position: Array, yaw: float = 0.0) -> Marker:
        """Return a marker that lies face up; ``yaw`` from base x to its right side [rad]."""
        c, s = np.cos(yaw), np.sin(yaw)
        return cls(number, size, position, np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]))

    @property
    def corners(self) -> Array:
        """``(4, 3)`` in frame ``base`` [m], in the order of :data:`CORNERS`."""
        half = 0.5 * self.size
        own = np.array([[-half, half, 0], [half, half, 0], [half, -half, 0], [-half, -half, 0]])
        return np.asarray(own @ self.rotation.T + self.position)


def find_markers(images: Sequence[Gray], markers: Sequence[Marker], family: str) -> KnownPoints:
    """Return the corners of all ``markers``, each the median over the images that show it.

    Raises:
        CalibrationFailed: a marker is in no image, twice in one, or it moved; names the seen ones.
        InvalidValue: two markers have the same number, or one is not in the dictionary.
    """
    _check(markers, family)
    seen: dict[int, list[Array]] = {}
    for image in images:
        found = _detect(image, family)
        for number in {n for n, _ in found}:
            places = [corners for n, corners in found if n == number]
            if len(places) > 1 and number in {m.number for m in markers}:
                raise CalibrationFailed(f"marker {number} is seen twice: remove one of them")
            seen.setdefault(number, []).append(places[0])
    missing = [m.number for m in markers if m.number not in seen]
    if missing:
        there = ", ".join(map(str, sorted(seen))) or "none"
        raise CalibrationFailed(
            f"marker {missing[0]} of dictionary {family} is not seen in {len(images)} image(s) "
            f"(seen: {there}): check number, dictionary, light and white margin"
        )
    pixels = [_fixed(m.number, seen[m.number]) for m in markers]
    names = tuple(f"marker {m.number} {corner}" for m in markers for corner in CORNERS)
    return KnownPoints(np.vstack(pixels), np.vstack([m.corners for m in markers]), names)


def _check(markers: Sequence[Marker], family: str) -> None:
    numbers, there = [m.number for m in markers], len(dictionary(family).bytesList)
    if not markers:
        raise InvalidValue("no marker is given")
    for number in numbers:
        if numbers.count(number) > 1:
            raise InvalidValue(f"marker {number} is given more than once")
        if not 0 <= number < there:
            raise InvalidValue(f"marker {number}: dictionary {family} has 0 to {there - 1}")


def _detect(image: Gray, family: str) -> list[tuple[int, Array]]:
    parameters = cv2.aruco.DetectorParameters()
    parameters.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_CONTOUR
    markers = dictionary(family)
    detector = cv2.aruco.ArucoDetector(markers, parameters)
    corners, ids = cast("tuple[Any, Any]", detector.detectMarkers(image)[:2])
    if ids is None:
        return []
    across = markers.markerSize + 2
    places = [refined(image, np.asarray(one, np.float64).reshape(4, 2), across) for one in corners]
    return [(int(n), place) for n, place in zip(np.asarray(ids).ravel(), places, strict=True)]


def _fixed(number: int, places: Sequence[Array]) -> Array:
    middle = np.asarray(np.median(places, axis=0))
    moved = float(np.abs(np.asarray(places) - middle).max())
    if moved > MAX_MOTION:
        raise CalibrationFailed(
            f"marker {number} moves by {moved:.1f} px between the images: camera and marker must "
            "stand still"
        )
    return middle


def refined(image: Gray, corners: Array, across: int) -> Array:
    """Return the marker's corners ``(4, 2)`` [px] to a tenth of a pixel: where its edges meet.

    The same as given where its edges are unclear.  OpenCV's own refinements are up to 1 px off for
    small, slanted markers: ``CORNER_REFINE_SUBPIX`` looks at a window that also holds the marker's
    inner modules.

    Args:
        image: that holds it.
        corners: ``(4, 2)`` about right [px], in the order of the marker's outline.
        across: modules in a row, the black border included.
    """
    found = corners.copy()
    for _ in range(EDGE_ROUNDS):
        lines = [_edge(image, found[i], found[(i + 1) % 4], found, across) for i in range(4)]
        if any(line is None for line in lines):
            return corners
        sides = [line for line in lines if line is not None]
        found = np.array([_meet(sides[i - 1], sides[i]) for i in range(4)])
        if not (np.linalg.norm(found - corners, axis=1) < 3.0).all():
            return corners
    return found


def _edge(
    image: Gray, begin: Array, end: Array, corners: Array, across: int
) -> tuple[Array, Array] | None:
    """Return a point and the direction of the edge from ``begin`` to ``end``; None if unclear."""
    along = (end - begin) / np.linalg.norm(end - begin)
    inward = np.array([-along[1], along[0]])
    depth = (corners.mean(axis=0) - begin) @ inward
    inward, reach = inward * np.sign(depth), EDGE_REACH * 2.0 * abs(depth) / across
    if reach < 2.0 * EDGE_STEP:
        return None
    shares = np.linspace(*EDGE_SPAN, EDGE_SAMPLES)[:, np.newaxis]
    middles = begin + shares * (end - begin)
    steps = np.arange(-reach, reach + 0.5 * EDGE_STEP, EDGE_STEP)
    places = (middles[:, np.newaxis] + steps[:, np.newaxis] * inward).astype(np.float32)
    profiles = cv2.remap(image.astype(np.float32), places, None, cv2.INTER_LINEAR)  # type: ignore[call-overload]
    # White to black, inwards; a rise belongs to the table outside or to a module inside.
    falls = -np.minimum(np.diff(np.asarray(profiles, dtype=np.float64), axis=1), 0.0)
    contrast = falls.sum(axis=1)
    clear = contrast > max(MIN_CONTRAST, 0.6 * float(np.quantile(contrast, 0.8)))
    if clear.mean() < 0.6:
        return None
    centres = 0.5 * (steps[1:] + steps[:-1])
    offsets = (falls[clear] @ centres) / contrast[clear]
    points = middles[clear] + offsets[:, np.newaxis] * inward
    x, y, u, v = _line(points)
    return np.array([u, v]), np.array([x, y])


def _line(points: Array) -> tuple[float, float, float, float]:
    fit = cv2.fitLine(points.astype(np.float32), cv2.DIST_HUBER, 0, 0.001, 0.001)
    x, y, u, v = np.asarray(fit, dtype=np.float64).ravel()
    return float(x), float(y), float(u), float(v)


def _meet(one: tuple[Array, Array], other: tuple[Array, Array]) -> Array:
    """Return where two lines meet; far away if they are parallel."""
    crossing = np.column_stack([one[1], -other[1]])
    if abs(np.linalg.det(crossing)) < 1e-6:
        return np.full(2, 1e9)
    share = np.linalg.solve(crossing, other[0] - one[0])[0]
    return np.asarray(one[0] + share * one[1])
