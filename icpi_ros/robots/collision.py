"""Collision geometry of an arm: heights of its pieces and their distances from each other."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence

import mujoco
import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm, Capsule

CLEARANCE = 0.01
"""Smallest distance between two pieces of the same arm [m]."""
FAR = 1.0
"""Distances above this are not told apart [m]."""


class CollisionGeometry:
    """The capsules of one arm; ``links`` are always what :meth:`Arm.links` returns."""

    def __init__(self, arm: Arm) -> None:
        """Build the pieces, and which pairs of them can collide.

        Raises:
            InvalidValue: at home two pieces touch that are more than two links apart.
        """
        self.pieces = arm.collision_geometry
        home = arm.links(arm.home)
        self.free = free_pieces(arm)
        self.reach = _reach(self.pieces, home)
        self._model = _model(self.pieces)
        self._data = mujoco.MjData(self._model)
        self._lock = threading.Lock()  # poses are written into the data before they are asked
        self._axes = np.stack([_axes(piece) for piece in self.pieces])
        middles = np.stack([0.5 * (piece.start + piece.end) for piece in self.pieces])
        self._middles = middles[..., np.newaxis]
        self._links = np.array([piece.link for piece in self.pieces])
        self.pairs = tuple(
            (i, j)
            for i, j in itertools.combinations(range(len(self.pieces)), 2)
            if abs(self._links[i] - self._links[j]) > 1
        )
        compared = self._without_constant(home, arm)
        self.constant = tuple(
            (self.pieces[i].name, self.pieces[j].name)
            for i, j in self.pairs
            if (i, j) not in compared
        )
        """Names of pieces with one link between them that touch by construction."""
        self.pairs = compared

    def lowest(self, links: Array) -> Array:
        """Return the height of the lowest point of every free piece, ``(T, P)`` [m]."""
        return heights([self.pieces[i] for i in self.free], links)

    def nearest(self, links: Array) -> tuple[float, str, str]:
        """Return the smallest distance of two pieces [m], at most ``FAR``, and their names.

        Args:
            links: ``(n + 1, 4, 4)`` of one pose.
        """
        distance, pair = FAR, (0, 0)
        model, data, measured = self._model, self._data, mujoco.mj_geomDistance
        with self._lock:
            self._place(links)
            for i, j in self.pairs:
                found = measured(model, data, i, j, FAR, None)
                if not found >= distance:
                    distance, pair = found, (i, j)
        return float(distance), self.pieces[pair[0]].name, self.pieces[pair[1]].name

    def _place(self, links: Array) -> None:
        frames = links[self._links]
        rotations = frames[:, :3, :3]
        turned = rotations @ self._axes
        centres = rotations @ self._middles
        self._data.geom_xpos[:] = centres[..., 0] + frames[:, :3, 3]
        self._data.geom_xmat[:] = turned.reshape(-1, 9)

    def _without_constant(self, home: Array, arm: Arm) -> tuple[tuple[int, int], ...]:
        """Drop pairs with one link between them that touch at home: they do so by construction."""
        self._place(home)
        kept = []
        for i, j in self.pairs:
            found = mujoco.mj_geomDistance(self._model, self._data, i, j, FAR, None)
            if found >= CLEARANCE:
                kept.append((i, j))
            elif abs(self._links[i] - self._links[j]) > 2:
                names = f"{self.pieces[i].name} and {self.pieces[j].name}"
                text = (
                    f"arm {arm.name}: {names} come within {CLEARANCE:g} m of each other at home: "
                    "choose another home pose or smaller pieces"
                )
                what, limit = f"distance of {names}", (CLEARANCE, np.inf)
                raise InvalidValue(
                    Refusal(text, Kind.SELF_COLLISION, what, "", float(found), limit, "m", "home")
                )
        return tuple(kept)


def free_pieces(arm: Arm) -> tuple[int, ...]:
    """Return which pieces can come down: a link 1 that turns about the vertical cannot."""
    fixed = 1 if np.isclose(abs(arm.links(arm.home)[1, 2, 2]), 1.0) else 0
    return tuple(i for i, piece in enumerate(arm.collision_geometry) if piece.link > fixed)


def heights(pieces: Sequence[Capsule], links: Array) -> Array:
    """Return the height of the lowest point of every piece, ``(T, P)`` [m].

    Args:
        pieces: ``P`` of them.
        links: ``(T, n + 1, 4, 4)`` as of :meth:`Arm.links`.
    """
    columns = []
    for piece in pieces:
        row = links[:, piece.link, 2]
        ends = [row[:, :3] @ end + row[:, 3] for end in (piece.start, piece.end)]
        columns.append(np.minimum(*ends) - piece.radius)
    return np.stack(columns, axis=1)


def _reach(pieces: tuple[Capsule, ...], home: Array) -> Array:
    """Return how far from the axis of joint j a point moved by it can lie at most, ``(n,)`` [m].

    The distance between the origins of neighbouring links never changes.
    """
    lengths = np.linalg.norm(np.diff(home[:, :3, 3], axis=0), axis=1)
    n = len(home) - 1
    sizes = np.zeros(n + 1)
    for piece in pieces:
        ends = max(np.linalg.norm(piece.start), np.linalg.norm(piece.end))
        sizes[piece.link] = max(sizes[piece.link], float(ends) + piece.radius)
    return np.array(
        [max(sizes[k] + lengths[j:k].sum() for k in range(j, n + 1)) for j in range(1, n + 1)]
    )


def _model(pieces: tuple[Capsule, ...]) -> mujoco.MjModel:
    """Return a world of loose geoms, placed by hand: only distances are asked of it."""
    spec = mujoco.MjSpec()
    for piece in pieces:
        half = 0.5 * float(np.linalg.norm(piece.end - piece.start))
        ball = half < 1e-9
        spec.worldbody.add_geom(
            type=mujoco.mjtGeom.mjGEOM_SPHERE if ball else mujoco.mjtGeom.mjGEOM_CAPSULE,
            size=[piece.radius, 0.0 if ball else half, 0.0],
        )
    return spec.compile()


def _axes(piece: Capsule) -> Array:
    """Return a rotation ``(3, 3)`` whose z axis lies along the piece."""
    line = piece.end - piece.start
    length = float(np.linalg.norm(line))
    if length < 1e-9:
        return np.eye(3)
    z = line / length
    x = np.cross(np.eye(3)[int(np.argmin(np.abs(z)))], z)
    x /= np.linalg.norm(x)
    return np.stack([x, np.cross(z, x), z], axis=1)
