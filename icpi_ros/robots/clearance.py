"""How close the pieces of an arm come to each other and to a plane."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm, Capsule


@dataclass(frozen=True)
class Clearance:
    """Distance between two pieces.

    Attributes:
        distance: between their surfaces [m]; below 0 they overlap.
        first, second: names of the pieces.
    """

    distance: float
    first: str
    second: str


def least_clearance(arm: Arm, q: Array) -> Clearance:
    """Return the closest two pieces at q ``(n,)`` [rad] that are not on neighbouring links."""
    links, found = arm.links(q), Clearance(np.inf, "", "")
    for a, b in combinations(arm.body, 2):
        if abs(a.link - b.link) < 2:
            continue
        gap = _distance(*_ends(a, links), *_ends(b, links)) - a.radius - b.radius
        if gap < found.distance:
            found = Clearance(gap, a.name, b.name)
    return found


def lowest(arm: Arm, q: Array) -> tuple[float, str]:
    """Return height [m] and name of the lowest piece at q ``(n,)`` [rad], links 0 and 1 left out.

    These two stand on the table or reach below it.
    """
    links = arm.links(q)
    heights = [
        (float(min(end[2] for end in _ends(piece, links))) - piece.radius, piece.name)
        for piece in arm.body
        if piece.link > 1
    ]
    return min(heights)


def _ends(piece: Capsule, links: Array) -> tuple[Array, Array]:
    turn, origin = links[piece.link, :3, :3], links[piece.link, :3, 3]
    return turn @ piece.start + origin, turn @ piece.end + origin


def _distance(a: Array, b: Array, c: Array, d: Array) -> float:
    """Return the distance of the segments a-b and c-d: at an end of one, or between both lines."""
    least = min(
        _to_segment(a, c, d), _to_segment(b, c, d), _to_segment(c, a, b), _to_segment(d, a, b)
    )
    along, across, between = b - a, d - c, c - a
    square = np.array([[along @ along, -along @ across], [-along @ across, across @ across]])
    if np.linalg.det(square) <= 1e-12 * square[0, 0] * square[1, 1]:
        return least  # parallel, or a point: an end is nearest
    s, t = np.linalg.solve(square, [along @ between, -across @ between])
    if not (0.0 <= s <= 1.0 and 0.0 <= t <= 1.0):
        return least
    return min(least, float(np.linalg.norm(between + t * across - s * along)))


def _to_segment(point: Array, start: Array, end: Array) -> float:
    along = end - start
    length = float(along @ along)
    share = 0.0 if length == 0.0 else float(np.clip((point - start) @ along / length, 0.0, 1.0))
    return float(np.linalg.norm(point - start - share * along))
