"""Batched rollouts of a task in simulation, without ROS.

The same model, commands and rest rule as the node ``mujoco_arm`` and the graph: a theta ends at
the same place in both.  Results do not depend on batch size, block size or number of threads.
"""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import mujoco
import numpy as np
from mujoco.rollout import Rollout
from numpy.typing import NDArray

from icpi_ros.core.types import Array, Indices, ObjectTrajectory
from icpi_ros.motion.rest import RestRule
from icpi_ros.robots.base import Arm
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task

BATCH = 64
"""Rollouts that one thread advances together; bounds memory however many are asked for."""
BLOCK_TIME = 0.1
"""Simulated time between two checks for rest [s]; five times that where nothing ever rests."""


@dataclass(frozen=True)
class Rollouts:
    """Outcomes of ``N`` thetas under one physics.

    Attributes:
        trajectories: of the object, from the start of the stroke until it rests.
        rested: ``(N,)`` bool, False where the time limit came first.
    """

    trajectories: list[ObjectTrajectory]
    rested: NDArray[np.bool_]


def rollout(
    task: Task,
    arm: Arm,
    physics: Array,
    thetas: Array,
    threads: int = 1,
    world: World | None = None,
) -> Rollouts:
    """Simulate ``(N, d)`` thetas under hidden ``physics`` ``(P,)``.

    Every thread advances batches of its own, one MuJoCo thread each: what Python does for one
    batch overlaps with the simulation of the others.

    Args:
        task: to execute.
        arm: its arm.
        physics: hidden physics.
        thetas: in the task's space.
        threads: simulation threads; the result does not depend on it.
        world: ``World(task, arm, physics)`` to use again, since making one takes as long as a
            rollout; None = make one.

    Raises:
        SimulationUnstable: a rollout diverged.
    """
    scene = world or World(task, arm, physics)
    begins = range(0, len(thetas), BATCH)
    local = threading.local()

    def advance(begin: int) -> Rollouts:
        if not hasattr(local, "data"):
            local.data = mujoco.MjData(scene.model)
        return _Batch(task, arm, scene, thetas[begin : begin + BATCH]).run(local.data)

    if threads <= 1 or len(begins) == 1:
        parts = [advance(begin) for begin in begins]
    else:
        with ThreadPoolExecutor(threads) as pool:
            parts = list(pool.map(advance, begins))
    trajectories = [trajectory for part in parts for trajectory in part.trajectories]
    return Rollouts(trajectories, np.concatenate([part.rested for part in parts]))


def block_samples(rest: RestRule) -> int:
    """Return the number of samples between two checks for rest."""
    time = BLOCK_TIME if rest.speed > 0.0 else 5.0 * BLOCK_TIME
    return max(1, round(time / rest.period))


class _Batch:
    """One batch: advance all rollouts block by block, drop those that rest."""

    def __init__(self, task: Task, arm: Arm, world: World, thetas: Array) -> None:
        self._rest, self._world = task.rest, world
        self._steps = round(task.rest.period / world.dt)
        self._motions = task.trajectories(thetas, arm)
        self._releases = task.releases(thetas, arm)
        self._quiet = self._motions.durations
        if self._releases is not None:
            self._quiet = np.maximum(self._quiet, world.openings(self._releases))
        self._limit = round(task.max_duration / task.rest.period) + 1
        self._paths = np.full((len(thetas), self._limit, 3), np.nan)
        ends = self._motions.durations / task.rest.period
        self._stroke_end = np.ceil(ends - 1e-9).astype(np.int64)

    def run(self, data: mujoco.MjData) -> Rollouts:
        """Simulate until every object rests or the time limit is reached."""
        state = self._world.initial_states(self._motions.positions[:, 0])
        active = np.arange(len(self._motions))
        last = np.full(len(self._motions), -1)
        block = block_samples(self._rest)
        with Rollout(nthread=0) as pool:
            for begin in range(0, self._limit, block):
                count = min(block, self._limit - begin)
                controls = self._commands(active, begin, count)
                states, sensors = pool.rollout(
                    self._world.model, data, state, controls, nstep=count * self._steps
                )
                self._paths[active, begin : begin + count] = sensors[
                    :, :: self._steps, self._world.object_sensor
                ]
                state = states[:, -1]
                until = (begin + count) * self._steps * self._world.dt
                self._world.check_states(state, until)
                last[active] = self._resting(active, begin, begin + count)
                moving = last[active] < 0
                active, state = active[moving], state[moving]
                if len(active) == 0:
                    break
        return self._collect(last)

    def _commands(self, active: Indices, begin: int, count: int) -> Array:
        steps = np.arange(begin * self._steps, (begin + count) * self._steps, dtype=np.float64)
        times = self._world.dt * steps
        strokes = self._motions.rows(active)
        if times[0] > self._quiet[active].max():
            q = np.broadcast_to(strokes.positions[:, -1:], (len(active), 1, len(strokes.joints)))
            return self._world.command(q, np.zeros_like(q), self._held(active, times[:1]))
        return self._world.command(*strokes.sample(times), self._held(active, times))

    def _held(self, active: Indices, times: Array) -> Array | float:
        """Return the share of each step in which a gripper holds, 1 if it never lets go."""
        return 1.0 if self._releases is None else self._world.held(times, self._releases[active])

    def _resting(self, active: Indices, begin: int, until: int) -> Indices:
        """Return the first resting sample of each active rollout, -1 while it moves."""
        first = max(0, begin - self._rest.samples)
        found = self._rest.first_rest(
            self._paths[active, first:until], start=self._stroke_end[active] - first
        )
        return np.where(found >= 0, found + first, -1)

    def _collect(self, last: Indices) -> Rollouts:
        rested = last >= 0
        ends = np.where(rested, last, self._limit - 1)
        trajectories = [
            ObjectTrajectory(self._rest.period * np.arange(end + 1), path[: end + 1].copy())
            for end, path in zip(ends, self._paths, strict=True)
        ]
        return Rollouts(trajectories, rested)
