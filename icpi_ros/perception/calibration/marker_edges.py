"""Corners of a marker to a tenth of a pixel: where lines through its four edges meet.

OpenCV's own refinements are up to 1 px off for small, slanted markers: ``CORNER_REFINE_SUBPIX``
looks at a window that also holds the marker's inner modules.
"""

from __future__ import annotations

import cv2
import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.perception.calibration.board import Gray

REACH = 0.7
"""How far across an edge is looked, in modules: the border and the margin are one wide."""
SPAN = 0.08, 0.92
"""Part of an edge that is used: near its ends the other edges blur it."""
STEP = 0.25
"""Distance of samples across an edge [px]."""
ALONG = 24
"""Samples along an edge."""
ROUNDS = 3
MIN_CONTRAST = 20.0
"""Grey levels between margin and border; below that an edge is not trusted."""


def refined(image: Gray, corners: Array, across: int) -> Array:
    """Return the marker's corners ``(4, 2)`` more exactly; the same where its edges are unclear.

    Args:
        image: that holds it.
        corners: ``(4, 2)`` about right [px], in the order of the marker's outline.
        across: modules in a row, the black border included.
    """
    found = corners.copy()
    for _ in range(ROUNDS):
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
    inward, reach = inward * np.sign(depth), REACH * 2.0 * abs(depth) / across
    if reach < 2.0 * STEP:
        return None
    shares = np.linspace(*SPAN, ALONG)[:, np.newaxis]
    middles = begin + shares * (end - begin)
    steps = np.arange(-reach, reach + 0.5 * STEP, STEP)
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
