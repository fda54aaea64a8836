"""Batched rollouts of a task in simulation, without ROS.

The same model, commands and rest rule as the node ``mujoco_arm`` and the graph: a theta ends at
the same place in both.  Results do not depend on the batch size or the number of threads.
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np
from mujoco.rollout import Rollout
from numpy.typing import NDArray

from icpi_ros.arms.base import Arm
from icpi_ros.motion.trajectory import Motion
from icpi_ros.sim.world import SimulationUnstable, World
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array, Indices, ObjectTrajectory

BATCH = 256
BLOCK_SAMPLES = 10


@dataclass(frozen=True)
class Rollouts:
    """Outcomes of ``N`` thetas under one physics.

    Attributes:
        trajectories: of the object, from the start of the stroke until it rests.
        rested: ``(N,)`` bool, False where the time limit came first.
    """

    trajectories: list[ObjectTrajectory]
    rested: NDArray[np.bool_]


def rollout(task: Task, arm: Arm, physics: Array, thetas: Array, threads: int = 1) -> Rollouts:
    """Simulate ``(N, d)`` thetas under hidden ``physics`` ``(P,)``.

    Raises:
        SimulationUnstable: a state is not finite.
    """
    world = World(task, arm, physics)
    parts = [
        _Batch(task, arm, world, thetas[i : i + BATCH]).run(threads)
        for i in range(0, len(thetas), BATCH)
    ]
    trajectories = [trajectory for part in parts for trajectory in part.trajectories]
    return Rollouts(trajectories, np.concatenate([part.rested for part in parts]))


class _Batch:
    """One batch: advance all rollouts block by block, drop those that rest."""

    def __init__(self, task: Task, arm: Arm, world: World, thetas: Array) -> None:
        self._rest, self._world = task.rest, world
        self._steps = round(task.rest.period / world.dt)
        self._motions = task.motions(thetas, arm)
        self._limit = round(task.max_duration / task.rest.period)
        self._paths = np.full((len(thetas), self._limit + 1, 3), np.nan)
        ends = np.array([motion.stroke.duration for motion in self._motions])
        self._stroke_end = np.ceil(ends / task.rest.period - 1e-9).astype(int)

    def run(self, threads: int) -> Rollouts:
        """Simulate until every object rests or the time limit is reached."""
        state = np.stack([self._initial_state(motion) for motion in self._motions])
        active = np.arange(len(self._motions))
        last = np.full(len(self._motions), -1)
        model = self._world.model
        datas = [mujoco.MjData(model) for _ in range(max(1, threads))]
        with Rollout(nthread=threads if threads > 1 else 0) as pool:
            for begin in range(0, self._limit, BLOCK_SAMPLES):
                count = min(BLOCK_SAMPLES, self._limit - begin)
                states, _ = pool.rollout(model, datas, state, self._commands(active, begin, count))
                self._record(active, begin, states)
                state = states[:, -1]
                last[active] = self._resting(active, begin + count)
                moving = last[active] < 0
                active, state = active[moving], state[moving]
                if len(active) == 0:
                    break
        return self._collect(last)

    def _initial_state(self, motion: Motion) -> Array:
        world, spec = self._world, mujoco.mjtState.mjSTATE_FULLPHYSICS
        world.reset(motion.start)
        state = np.empty(mujoco.mj_stateSize(world.model, spec))
        mujoco.mj_getState(world.model, world.data, state, spec)
        return state

    def _commands(self, active: Indices, begin: int, count: int) -> Array:
        steps = np.arange(begin * self._steps, (begin + count) * self._steps)
        times = self._world.dt * steps
        return np.stack(
            [self._world.command(*self._motions[i].stroke.sample(times)[:2]) for i in active]
        )

    def _record(self, active: Indices, begin: int, states: Array) -> None:
        positions = states[:, self._steps - 1 :: self._steps, self._world.object_state]
        if not np.isfinite(positions).all():
            raise SimulationUnstable("a rollout gave positions that are not finite")
        if begin == 0:
            self._paths[:, 0] = self._world.object_position
        self._paths[active, begin + 1 : begin + 1 + positions.shape[1]] = positions

    def _resting(self, active: Indices, until: int) -> Indices:
        """Return the first resting sample of each active rollout, -1 while it moves."""
        found = np.full(len(active), -1)
        for row, i in enumerate(active):
            path = self._paths[i : i + 1, : until + 1]
            found[row] = self._rest.first_rest(path, start=int(self._stroke_end[i]))[0]
        return found

    def _collect(self, last: Indices) -> Rollouts:
        rested = last >= 0
        ends = np.where(rested, last, self._limit)
        trajectories = [
            ObjectTrajectory(self._rest.period * np.arange(end + 1), path[: end + 1].copy())
            for end, path in zip(ends, self._paths, strict=True)
        ]
        return Rollouts(trajectories, rested)
