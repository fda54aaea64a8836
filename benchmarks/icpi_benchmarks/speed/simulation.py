"""Time of our simulation path against bare ``mujoco.rollout`` for the same rollouts.

Ours: motions (inverse kinematics), timing, commands, simulation, rest rule, error and cost.
Raw: ``mujoco.rollout`` alone, commands made beforehand, every rollout exactly as many steps as
ours took.  Both are repeated in turn; the median counts.
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass
from statistics import median

import mujoco
import numpy as np
from mujoco.rollout import Rollout

from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm
from icpi_ros.sim.rollout import block_samples, rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import first_possible, simulated_feasibility

RAW_BATCH = 64


@dataclass(frozen=True)
class SpeedRow:
    """One line of the benchmark; times in seconds, ``steps`` in all rollouts together."""

    task: str
    arm: str
    threads: int
    rollouts: int
    steps: int
    raw_seconds: float
    ours_seconds: float

    @property
    def ratio(self) -> float:
        """Time of ours over that of raw, a factor."""
        return self.ours_seconds / self.raw_seconds


@dataclass(frozen=True)
class _RawPart:
    """Rollouts of equal length with their commands made beforehand."""

    state: Array
    control: Array


def measure(task: Task, arm: Arm, count: int, threads: int, repeats: int, seed: int) -> SpeedRow:
    """Time ``count`` rollouts of random theta under one physics.

    Args:
        task: what to simulate.
        arm: its arm.
        count: number of rollouts.
        threads: of both paths.
        repeats: how often each path is timed; the median counts.
        seed: of theta and physics.
    """
    rng = np.random.default_rng(seed)
    physics, why_not = task.sample_physics(rng), simulated_feasibility(task, arm)
    thetas = task.space.sample(rng, count)
    for row in (n for n in range(count) if why_not(thetas[n])):
        thetas[row] = first_possible(task.space, rng, why_not)
    world = World(task, arm, physics)
    lengths = _score(task, arm, physics, thetas, threads)
    per_sample = round(task.rest.period / world.dt)
    block = block_samples(task.rest)
    blocks = np.ceil(lengths / block).astype(np.int64)
    longest = round(task.max_duration / task.rest.period) * per_sample
    steps = np.minimum(blocks * block * per_sample, longest)
    parts = _raw_parts(task, arm, world, thetas, steps)
    raw, ours = [], []
    for _ in range(repeats):
        raw.append(_time_raw(world.model, parts, threads))
        begin = time.perf_counter()
        _score(task, arm, physics, thetas, threads)
        ours.append(time.perf_counter() - begin)
    return SpeedRow(
        task.name, arm.name, threads, count, int(steps.sum()), median(raw), median(ours)
    )


def _score(task: Task, arm: Arm, physics: Array, thetas: Array, threads: int) -> Array:
    """Run our whole path, cost included; return the number of samples of each rollout."""
    trajectories = rollout(task, arm, physics, thetas, threads).trajectories
    for trajectory in trajectories:
        task.cost(task.error(trajectory, task.default_goal))
    return np.array([float(len(trajectory.times)) for trajectory in trajectories])


def _raw_parts(task: Task, arm: Arm, world: World, thetas: Array, steps: Array) -> list[_RawPart]:
    motions, releases = task.trajectories(thetas, arm), task.releases(thetas, arm)
    states = world.initial_states(motions.positions[:, 0])
    parts = []
    for length in np.unique(steps):
        rows = np.flatnonzero(steps == length)
        for begin in range(0, len(rows), RAW_BATCH):
            some = rows[begin : begin + RAW_BATCH]
            times = world.dt * np.arange(int(length), dtype=np.float64)
            held = 1.0 if releases is None else world.held(times, releases[some])
            control = world.command(*motions.rows(some).sample(times), held)
            parts.append(_RawPart(states[some], control))
    return parts


def _time_raw(model: mujoco.MjModel, parts: list[_RawPart], threads: int) -> float:
    """Return the wall time of bare rollouts [s]; thread pool and data are made beforehand."""
    datas = [mujoco.MjData(model) for _ in range(threads)]
    with Rollout(nthread=threads if threads > 1 else 0) as pool:
        begin = time.perf_counter()
        for part in parts:
            pool.rollout(model, datas, part.state, part.control)
        return time.perf_counter() - begin


def peak_memory() -> float:
    """Return the peak resident memory of this process so far [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
