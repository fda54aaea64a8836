"""One motion in simulation as a camera sees it: images, and the true path beside them; no ROS."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import mujoco
import numpy as np

from icpi_ros.core.types import SECOND, Array, ObjectTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.sim.camera import SimulatedCamera
from icpi_ros.sim.offscreen import Image
from icpi_ros.sim.shutter import Shutter
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task

STANDING = 0.3
"""Time before the motion in which the object is seen at its start [s]."""
AFTER = 0.1
"""Time after rest that is still filmed, so that images lie on both sides of the end [s]."""


@dataclass(frozen=True)
class Film:
    """Images of one motion by a camera, and the true path.

    Attributes:
        images: stamp [ns] and pixels ``(h, w, 3)`` rgb of every image, in order.
        start_ns: begin of the motion [ns].
        stop_ns: time at which the object rested, or the time limit [ns].
        path: true positions from the start of the motion until then; as a rollout's.
        rested: False where the time limit came first.
    """

    images: tuple[tuple[int, Image], ...]
    start_ns: int
    stop_ns: int
    path: ObjectTrajectory
    rested: bool


def film(
    task: Task,
    arm: Arm,
    physics: Array,
    theta: Array,
    camera: SimulatedCamera,
    *,
    world: World | None = None,
    standing: float = STANDING,
    seed: int | None = None,
) -> Film:
    """Execute one motion and film it; it ends where the rollout of ``theta`` ends.

    Args:
        task: to execute.
        arm: its arm.
        physics: ``(P,)`` hidden physics.
        theta: ``(d,)`` in the task's space.
        camera: in the task's scene.
        world: ``World(task, arm, physics)`` to use again; None = make one.
        standing: time before the motion in which arm and object stand [s].
        seed: of the lost frames; None = that of the camera's settings.

    Raises:
        SimulationUnstable: the simulation diverged.
        MotionRefused: the motion leaves the arm's reach.
    """
    settings = camera.settings
    shutter = Shutter(settings if seed is None else replace(settings, seed=seed))
    scene = world or World(task, arm, physics)
    motion = _Motion(task, arm, scene, theta)
    start_ns = round(standing * SECOND)
    images: list[tuple[int, Image]] = []

    def take(now_ns: int) -> None:
        images.extend((e.ns, camera.expose(e)) for e in shutter.due(now_ns))

    shutter.see(0, scene.data.qpos)
    for seconds in motion.run(AFTER):
        now_ns = start_ns + round(seconds * SECOND)
        shutter.see(now_ns, scene.data.qpos)
        take(now_ns)
    take(now_ns + SECOND + round(settings.latency * SECOND))
    path = motion.path
    stop_ns = start_ns + round(float(path.times[-1]) * SECOND)
    return Film(tuple(images), start_ns, stop_ns, path, motion.rested)


class _Motion:
    """Steps a world through one motion with the commands and the rest rule of rollouts."""

    def __init__(self, task: Task, arm: Arm, world: World, theta: Array) -> None:
        """Put the arm at the beginning of the motion, the object at its start."""
        self.rested = False
        self._world, self._rest = world, task.rest
        self._steps = round(task.rest.period / world.dt)
        self._limit = round(task.max_duration / task.rest.period) + 1
        self._motions = task.trajectories(theta[np.newaxis], arm)
        self._end = int(np.ceil(self._motions.durations[0] / task.rest.period - 1e-9))
        self._positions: list[Array] = []
        spec = mujoco.mjtState.mjSTATE_FULLPHYSICS
        mujoco.mj_resetData(world.model, world.data)
        state = world.initial_states(self._motions.positions[:, 0])[0]
        mujoco.mj_setState(world.model, world.data, state, spec)
        releases = task.releases(theta[np.newaxis], arm)
        if releases is not None:
            world.open_gripper(float(releases[0]))

    @property
    def path(self) -> ObjectTrajectory:
        """True positions so far, one every sample period of the rest rule."""
        times = self._rest.period * np.arange(len(self._positions), dtype=np.float64)
        return ObjectTrajectory(times, np.array(self._positions))

    def run(self, after: float) -> Iterator[float]:
        """Yield the time since the start of the motion [s], now and after every step.

        Ends ``after`` seconds after rest or the time limit.
        """
        world = self._world
        steps, last = (self._limit - 1) * self._steps, round(after / world.dt)
        times = world.dt * np.arange(steps + last + 1, dtype=np.float64)
        (q,), (qd,) = self._motions.sample(times)
        ends: int | None = None
        for step, seconds in enumerate(times):
            yield float(seconds)
            if ends is None and step % self._steps == 0 and self._note():
                ends = step + last
            if step == ends:
                return
            world.step(q[step], qd[step])

    def _note(self) -> bool:
        """Note where the object is; return whether the motion is over."""
        self._positions.append(self._world.object_position)
        newest = len(self._positions) - 1
        first = max(0, newest - self._rest.samples)
        recent = np.array(self._positions[first:])[np.newaxis]
        self.rested = bool(self._rest.first_rest(recent, start=self._end - first)[0] >= 0)
        return self.rested or newest == self._limit - 1
