"""Film of a trial: states of arm and object at equal intervals, and a renderer that shows them.

The trial is simulated again.  Where the object then goes elsewhere than it was seen to go (a real
arm, another scene), its seen path is shown instead, with the arm's planned motion.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import pairwise

import mujoco
import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import UsageError
from icpi_ros.core.pictures.style import rgb
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.sim.offscreen import Image, Offscreen
from icpi_ros.sim.world import FREE, World
from icpi_ros.tasks.base import Task

FOVY = 0.6
"""Vertical field of view [rad]."""
AGREES = 0.02
"""Largest distance between the simulated and the seen path of the same trial [m]."""
GOAL_SIZES, TRAIL_SIZE = (0.044, 0.03, 0.014), 0.006
"""Radii of the goal's rings, of which every second one is white, and of the object's trail [m]."""
GLOW = 0.5
"""Share of the light of goal and trail that is their own: their colours are those of pictures."""
RING_HEIGHT = 0.0015
"""Height of each ring of the goal over the one around it [m]."""
FLAT = 0.3
"""Elevation below which the goal's rings face the camera instead of lying on a table [rad]."""
FILLED = 0.82
"""Share of the picture that the points to be seen fill."""
MIN_DISTANCE = 0.8
"""Of the camera from the middle of what it sees [m]."""
BACKGROUND = 238
"""Grey where nothing is; MuJoCo leaves it black."""
_ABOVE, _BESIDE = (0.45, 0.75), (-1.35, 0.12)
"""Azimuth and elevation of the view [rad]: of a table, and of an upright plane."""


@dataclass(frozen=True)
class Take:
    """States of one trial.

    Attributes:
        times: ``(n,)`` since the start of the motion [s].
        states: ``(n, nq)`` of all joints of the scene.
        path: ``(n, 3)`` of the tracked point, frame ``base`` [m].
        simulated: True = simulated again, False = the seen path with the arm's plan.
    """

    times: Array
    states: Array
    path: Array
    simulated: bool


@dataclass(frozen=True)
class Viewpoint:
    """Place that a camera looks at ``(3,)``, in ``base`` [m], its distance [m], direction [rad]."""

    centre: Array
    distance: float
    azimuth: float
    elevation: float


def take(
    task: Task, world: World, arm: Arm, theta: Array, seen: ObjectTrajectory, period: float
) -> Take:
    """Return the states of the trial of ``theta`` every ``period`` [s] until its object rests.

    At most as long as the task allows.

    Raises:
        UsageError: the object went elsewhere than in the simulation, and its pose is not known
            from its path alone (a rope).
        SimulationUnstable: the simulation diverged.
    """
    motion = task.motion(theta, arm)
    until = min(max(float(seen.times[-1]), motion.trajectory.duration), task.max_duration)
    world.reset(motion.trajectory.positions[0])
    if motion.release is not None:
        world.open_gripper(motion.release)
    states, path, times = list[Array](), list[Array](), list[float]()
    while world.time <= until + 1e-9:
        if world.time >= len(times) * period - 1e-9:
            times.append(world.time)
            states.append(np.array(world.data.qpos))
            path.append(world.object_position)
        point = motion.trajectory.at(world.time)
        world.step(point.position, point.velocity)
    found = Take(np.array(times), np.array(states), np.array(path), simulated=True)
    shown = _resampled(seen, found.times)
    off = np.linalg.norm(found.path - shown, axis=1)[found.times <= seen.times[-1]]
    if float(off.max()) <= AGREES:
        return found
    return _as_seen(task, world, found, shown)


def _resampled(seen: ObjectTrajectory, times: Array) -> Array:
    """Return a seen path ``(n, 3)`` at other times; gaps are bridged."""
    known = np.isfinite(seen.positions).all(axis=1)
    columns = [np.interp(times, seen.times[known], seen.positions[known, i]) for i in range(3)]
    return np.column_stack(columns)


def _as_seen(task: Task, world: World, found: Take, shown: Array) -> Take:
    """Return the take with the object along its seen path, turned as at its start."""
    body = world.model.body(task.object_body)
    joint = int(body.jntadr[0])
    if joint < 0 or world.model.jnt_type[joint] != FREE:
        raise UsageError(
            f"the {task.object_body} went elsewhere than in the simulation of this trial, and its "
            "shape is not known from the path of one point: no video of this run"
        )
    first = int(world.model.jnt_qposadr[joint])
    states = found.states.copy()
    states[:, first : first + 3] = states[0, first : first + 3] + shown - found.path[0]
    states[:, first + 3 : first + 7] = states[0, first + 3 : first + 7]
    return Take(found.times, states, shown, simulated=False)


def view_of(points: Array, upright: bool, shape: float) -> Viewpoint:
    """Return a view that holds all ``points`` ``(n, 3)`` [m].

    Args:
        points: to be seen, frame ``base``.
        upright: the object moves in an upright plane, not on a table.
        shape: width of the picture by its height.
    """
    azimuth, elevation = _BESIDE if upright else _ABOVE
    view = Viewpoint(points.mean(axis=0), 3.0, azimuth, elevation)
    room = FILLED * np.tan(0.5 * FOVY)
    for _ in range(10):  # converges: each step halves the deviation and more
        right, up, back = _axes(view)
        depth = view.distance - (points - view.centre) @ back
        seen = (points - view.centre) @ np.column_stack([right, up]) / depth[:, np.newaxis]
        low, high = seen.min(axis=0), seen.max(axis=0)
        middle = 0.5 * (low + high) * view.distance
        centre = view.centre + middle[0] * right + middle[1] * up
        half = 0.5 * (high - low) / np.array([shape, 1.0])
        distance = max(view.distance * float(half.max()) / room, MIN_DISTANCE)
        view = Viewpoint(centre, distance, azimuth, elevation)
    return view


@dataclass(frozen=True)
class _Mark:
    """Piece that is drawn into a scene: a capsule or a disc from ``start`` to ``end`` [m]."""

    start: Array
    end: Array
    size: float
    colour: NDArray[np.float32]
    kind: mujoco.mjtGeom


class Filming(Offscreen):
    """Renderer of a scene from anywhere, with the goal and the object's trail in it."""

    def __init__(self, model: mujoco.MjModel, view: Viewpoint, width: int, height: int) -> None:
        """Open a context.

        Args:
            model: the scene.
            view: of the camera.
            width: of the picture [px].
            height: of the picture [px].

        Raises:
            UsageError: the scene has no camera whose place could be taken.
            CameraUnavailable: no EGL, or it cannot render.
        """
        if model.ncam == 0:
            raise UsageError("the scene has no camera: add a <camera> to its MJCF")
        placed = copy.copy(model)
        _place_camera(placed, view)
        super().__init__(placed, 0, width, height, FOVY)
        self._marks = list[_Mark]()
        self._across = np.column_stack(_axes(view)) if abs(view.elevation) < FLAT else np.eye(3)

    def show(self, state: Array, goal: Array | None, trail: Array, colours: list[str]) -> Image:
        """Return the picture ``(h, w, 3)`` of a state, the uppermost row first.

        Args:
            state: ``(nq,)``.
            goal: ``(3,)`` place of the goal, frame ``base`` [m]; None = it is none.
            trail: ``(n, 3)`` places of the object so far, frame ``base`` [m].
            colours: ``#rrggbb`` of goal and trail.
        """
        ringed, own = (_rgba(colour) for colour in colours)
        rings = [] if goal is None else [
            _Mark(goal, goal + (n + 1) * RING_HEIGHT * self._across[:, 2], size,
                  ringed if n % 2 == 0 else _rgba("#ffffff"), mujoco.mjtGeom.mjGEOM_CYLINDER)
            for n, size in enumerate(GOAL_SIZES)
        ]  # fmt: skip
        capsule = mujoco.mjtGeom.mjGEOM_CAPSULE
        ends = [(a, b) for a, b in pairwise(trail) if _apart(a, b)]
        self._marks = [*rings, *(_Mark(a, b, TRAIL_SIZE, own, capsule) for a, b in ends)]
        return np.ascontiguousarray(self.picture(state)[::-1])

    def _update(self, state: Array) -> None:
        super()._update(state)
        for mark in self._marks[: self._scene.maxgeom - self._scene.ngeom]:
            geom = self._scene.geoms[self._scene.ngeom]
            unturned = np.eye(3).ravel()
            mujoco.mjv_initGeom(
                geom, mark.kind.value, np.full(3, mark.size), mark.start, unturned, mark.colour
            )
            mujoco.mjv_connector(geom, mark.kind.value, mark.size, mark.start, mark.end)
            geom.emission = GLOW
            self._scene.ngeom += 1

    def _read(self, rect: mujoco.MjrRect, image: Image) -> None:
        super()._read(rect, image)
        image[(image == 0).all(axis=2)] = BACKGROUND


def _apart(a: Array, b: Array) -> bool:
    return bool(np.linalg.norm(b - a) > 1e-4)


def _place_camera(model: mujoco.MjModel, view: Viewpoint) -> None:
    """Put the first camera of a model where the view is from."""
    frame = np.column_stack(_axes(view))
    quaternion = np.empty(4)
    mujoco.mju_mat2Quat(quaternion, frame.ravel())
    model.cam_bodyid[0] = 0
    model.cam_mode[0] = mujoco.mjtCamLight.mjCAMLIGHT_FIXED.value
    model.cam_pos[0], model.cam_quat[0] = view.centre + view.distance * frame[:, 2], quaternion


def _axes(view: Viewpoint) -> tuple[Array, Array, Array]:
    """Return the directions right, up and back of a view."""
    a, e = view.azimuth, view.elevation
    back = np.array([np.cos(e) * np.cos(a), np.cos(e) * np.sin(a), np.sin(e)])
    right = np.array([-np.sin(a), np.cos(a), 0.0])
    return right, np.cross(back, right), back


def _rgba(colour: str) -> NDArray[np.float32]:
    return np.array([*rgb(colour), 255], dtype=np.float32) / np.float32(255)
