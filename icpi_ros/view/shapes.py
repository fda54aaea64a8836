"""Solids of a scene and of an arm as triangles, without a simulation behind them."""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm, Capsule
from icpi_ros.sim.world import OBJECT, World
from icpi_ros.tasks.base import Task

Faces = NDArray[np.int64]
ROUND = 20
"""Corners of a circle."""
MAX_PLANE = 1.0
"""Most half side of a plane that is drawn [m]."""
OBJECT_RADIUS = 0.02
"""Radius of a ball in the place of an object that is no rigid body [m]."""
_OBJECT_COLOUR = (214, 48, 32)


@dataclass(frozen=True)
class Solid:
    """Coloured triangles in one frame.

    Attributes:
        vertices: ``(V, 3)`` [m].
        faces: ``(F, 3)`` indices, counterclockwise from outside.
        colour: red, green, blue, 0 to 255.
        opacity: 0 to 1.
    """

    vertices: Array
    faces: Faces
    colour: tuple[int, int, int]
    opacity: float = 1.0


@dataclass(frozen=True)
class Surroundings:
    """Scene of a task.

    Attributes:
        fixed: in frame ``base``.
        moved: the object, around the point that is tracked, turned as at its start.
        start: ``(3,)`` of that point at its start, frame ``base`` [m]; NaN = not known.
    """

    fixed: tuple[Solid, ...]
    moved: tuple[Solid, ...]
    start: Array


def surroundings(task: Task, arm: Arm) -> Surroundings:
    """Return the scene of a task; where there is none to simulate, a table at z = 0."""
    world = _world(task, arm)
    if world is None:
        table = _box(np.array([MAX_PLANE, MAX_PLANE, 0.005]), np.eye(3), np.array([0, 0, -0.006]))
        unknown = np.full(3, np.nan)
        return Surroundings((Solid(*table, (216, 210, 192)),), (_marker(),), unknown)
    model, data = world.model, world.data
    mujoco.mj_kinematics(model, data)
    body = model.body(task.object_body).id
    arm_root = model.body_rootid[model.jnt_bodyid[model.joint(arm.joints[0]).id]]
    rigid = model.jnt_type[model.body_jntadr[body]] == mujoco.mjtJoint.mjJNT_FREE
    start = np.array(data.site_xpos[model.site(OBJECT).id])
    fixed, moved = [], []
    for geom in range(model.ngeom):
        carrier = model.geom_bodyid[geom]
        if _is_below(model, carrier, body):
            if rigid and (solid := _solid(model, data, geom, start)):
                moved.append(solid)
        elif model.body_rootid[carrier] != arm_root and (
            solid := _solid(model, data, geom, np.zeros(3))
        ):
            fixed.append(solid)
    return Surroundings(tuple(fixed), tuple(moved) or (_marker(),), start)


def _world(task: Task, arm: Arm) -> World | None:
    """Return the simulated scene; None = there is none that has this arm."""
    if task.scene is None:
        return None
    try:
        return World(task, arm, 0.5 * (task.physics_space.lower + task.physics_space.upper))
    except Exception:  # a task of a plug-in, or an arm that its scene does not take
        return None


def _marker() -> Solid:
    return Solid(*_lathe(_half_circle(OBJECT_RADIUS, 0.0)), _OBJECT_COLOUR)


def _is_below(model: mujoco.MjModel, body: int, above: int) -> bool:
    while body not in (0, above):
        body = model.body_parentid[body]
    return bool(body == above)


def _solid(model: mujoco.MjModel, data: mujoco.MjData, geom: int, origin: Array) -> Solid | None:
    """Return a geom as it stands, from ``origin``; None where it is invisible or has no form."""
    *colour, opacity = model.geom_rgba[geom]
    turn = data.geom_xmat[geom].reshape(3, 3)
    at = data.geom_xpos[geom] - origin
    form = _form(model.geom_type[geom], model.geom_size[geom], turn, at)
    if opacity < 0.05 or form is None:
        return None
    red, green, blue = (round(255.0 * value) for value in colour)
    return Solid(*form, (red, green, blue), float(opacity))


def _form(kind: int, size: Array, turn: Array, at: Array) -> tuple[Array, Faces] | None:
    kinds = mujoco.mjtGeom
    if kind == kinds.mjGEOM_PLANE:
        half = np.where(size[:2] > 0.0, np.minimum(size[:2], MAX_PLANE), MAX_PLANE)
        return _box(np.array([*half, 0.005]), turn, at - turn @ [0.0, 0.0, 0.006])
    if kind == kinds.mjGEOM_BOX:
        return _box(size, turn, at)
    if kind == kinds.mjGEOM_SPHERE:
        profile = _half_circle(size[0], 0.0)
    elif kind == kinds.mjGEOM_CAPSULE:
        profile = _half_circle(size[0], size[1])
    elif kind == kinds.mjGEOM_CYLINDER:
        profile = np.array([[0, -1], [1, -1], [1, 1], [0, 1]]) * [size[0], size[1]]
    else:
        return None
    vertices, faces = _lathe(profile)
    return vertices @ turn.T + at, faces


def pieces(arm: Arm, skin: float = 0.0) -> list[tuple[int, Array, Faces]]:
    """Return the collision geometry of an arm: link, vertices in the link's frame, faces.

    Args:
        arm: to draw.
        skin: by which every piece is thicker [m].
    """
    return [(piece.link, *capsule(piece, skin)) for piece in arm.collision_geometry]


def capsule(piece: Capsule, skin: float = 0.0) -> tuple[Array, Faces]:
    """Return vertices and faces of a piece, thicker by ``skin`` [m], in its link's frame."""
    way = piece.end - piece.start
    length = float(np.linalg.norm(way))
    vertices, faces = _lathe(_half_circle(piece.radius + skin, 0.5 * length))
    turn = np.eye(3)
    if length > 1e-9:
        z = way / length
        x = np.cross(np.eye(3)[int(np.argmin(np.abs(z)))], z)
        x /= np.linalg.norm(x)
        turn = np.stack([x, np.cross(z, x), z], axis=1)
    return vertices @ turn.T + 0.5 * (piece.start + piece.end), faces


def _half_circle(radius: float, half: float) -> Array:
    """Return a capsule's profile ``(K, 2)``, from below: distance from the axis, and height."""
    angles = np.linspace(-0.5 * np.pi, 0.5 * np.pi, ROUND // 2 + 1)
    lower = angles[angles <= 1e-9]
    upper = angles[angles >= -1e-9]
    rows = [(np.cos(a), np.sin(a), -half) for a in lower] + [
        (np.cos(a), np.sin(a), half) for a in upper
    ]
    return np.array([(radius * c, radius * s + shift) for c, s, shift in rows])


def _lathe(profile: Array) -> tuple[Array, Faces]:
    """Turn a profile ``(K, 2)`` (distance from the z axis, height), from below, about that axis."""
    turns = np.linspace(0.0, 2.0 * np.pi, ROUND, endpoint=False)
    ring = np.stack([np.cos(turns), np.sin(turns)], axis=1)
    radii, heights = profile.T
    vertices = np.concatenate(
        [
            radii[:, np.newaxis, np.newaxis] * ring,
            np.broadcast_to(heights[:, np.newaxis, np.newaxis], (len(profile), ROUND, 1)),
        ],
        axis=2,
    ).reshape(-1, 3)
    i, j = np.meshgrid(np.arange(len(profile) - 1), np.arange(ROUND), indexing="ij")
    a, b = i * ROUND + j, i * ROUND + (j + 1) % ROUND
    faces = np.concatenate(
        [np.stack([a, b, b + ROUND], axis=-1), np.stack([a, b + ROUND, a + ROUND], axis=-1)]
    ).reshape(-1, 3)
    return vertices, faces.astype(np.int64)


def _box(half: Array, turn: Array, at: Array) -> tuple[Array, Faces]:
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)])
    faces = np.array(
        [
            [0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1],
            [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3],
        ]
    )  # fmt: skip
    return (signs * half) @ turn.T + at, faces
