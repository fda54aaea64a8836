"""Brute-force search: the theta that solves a goal best under one hidden physics.

One set of quasi-random rollouts per physics serves all its goals.  Then, per goal, a few rounds
around the best point so far: a Gauss-Newton step from a local linear fit of the error through
the nearest points, and random points in a shrinking box.  Every rollout counts for every goal.
A grid or the quasi-random set alone leaves 3 to 23 mm on slide (12 draws), the whole search 0.2 mm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.types import Array, Indices, ObjectTrajectory
from icpi_ros.learn.building.plan import GLOBAL_SAMPLES
from icpi_ros.robots.base import Arm
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import SimulationUnstable
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import simulated_feasibility

LOCAL_SAMPLES = 12
"""Rollouts per goal and round."""
RADII = (0.10, 0.04, 0.015, 0.005, 0.002)
"""Half-width of each round's box, as a share of the half-range of theta."""
STARTS = 3
"""Good points, apart from each other, that the first rounds refine: tasks may be multimodal."""
START_ROUNDS = 2
MIN_START_DISTANCE = 0.25
"""Least distance between two starts, in scaled theta."""
SOLVED_COST = 2e-4
"""Cost below which a goal is not refined any more [m]: contact noise is as large."""


@dataclass(frozen=True)
class ExecutedThetas:
    """Executed thetas under one physics, and their outcomes.

    Attributes:
        thetas: ``(n, d)`` those that gave an outcome.
        trajectories: of the object, one per theta.
        dropped: number of those that gave none (unstable, not observed, not possible with the arm).
    """

    thetas: Array
    trajectories: tuple[ObjectTrajectory, ...]
    dropped: int = 0

    def __add__(self, other: ExecutedThetas) -> ExecutedThetas:
        """Put two sets together."""
        return ExecutedThetas(
            np.concatenate([self.thetas, other.thetas]),
            self.trajectories + other.trajectories,
            self.dropped + other.dropped,
        )


@dataclass(frozen=True)
class Solutions:
    """Search results for ``G`` goals.

    Attributes:
        executions: all rollouts, the ``first`` of them quasi-random.
        first: number of executions that cover the whole box, the first ones.
        errors: ``(G, n, m)`` of every execution to every goal.
        costs: ``(G, n)`` [m].
    """

    executions: ExecutedThetas
    first: int
    errors: Array
    costs: Array

    @property
    def best(self) -> Indices:
        """``(G,)`` index of the cheapest execution of each goal; the first one among equals."""
        return np.asarray(np.argmin(self.costs, axis=1), dtype=np.int64)


def simulate(task: Task, arm: Arm, physics: Array, thetas: Array, threads: int) -> ExecutedThetas:
    """Execute ``(n, d)`` thetas.

    Dropped are those that become unstable, show nothing, or that the arm cannot execute.
    """
    why_not = simulated_feasibility(task, arm)
    possible = np.array([not why_not(theta) for theta in thetas], dtype=bool)
    refused = ExecutedThetas(thetas[:0], (), int(np.count_nonzero(~possible)))
    if not possible.any():
        return refused
    return _simulated(task, arm, physics, thetas[possible], threads) + refused


def _simulated(task: Task, arm: Arm, physics: Array, thetas: Array, threads: int) -> ExecutedThetas:
    try:
        trajectories = rollout(task, arm, physics, thetas, threads).trajectories
    except SimulationUnstable:
        if len(thetas) == 1:
            return ExecutedThetas(thetas[:0], (), 1)
        half = len(thetas) // 2
        halves = (thetas[:half], thetas[half:])
        parts = [_simulated(task, arm, physics, some, threads) for some in halves]
        return parts[0] + parts[1]
    seen = [n for n, trajectory in enumerate(trajectories) if _observed(task, trajectory)]
    kept = tuple(trajectories[n] for n in seen)
    return ExecutedThetas(thetas[seen], kept, len(thetas) - len(kept))


def explore(
    task: Task, arm: Arm, physics: Array, count: int, rng: np.random.Generator, threads: int
) -> ExecutedThetas:
    """Execute ``count`` quasi-random thetas of the whole box."""
    from scipy.stats import qmc  # scipy.stats is 1.3 s that a wrong option need not take

    sobol = qmc.Sobol(task.space.dim, rng=rng)
    with np.errstate(all="ignore"):
        scaled = sobol.random_base2(int(np.ceil(np.log2(max(count, 2)))))[:count]
    thetas = task.space.denormalise(2.0 * scaled - 1.0)
    return simulate(task, arm, physics, thetas, threads)


def search(
    task: Task, arm: Arm, physics: Array, goals: Array, rng: np.random.Generator, threads: int
) -> Solutions:
    """Solve ``(G, g)`` goals under one physics; see the head of this module.

    The label of a goal is its cheapest execution, whichever mode of a multimodal task it lies
    in: labels that prefer a near solution were measured to be worse (findings, section 10).
    """
    found = explore(task, arm, physics, GLOBAL_SAMPLES, rng, threads)
    errors, costs = score(task, found, goals)
    solutions = Solutions(found, len(found.thetas), errors, costs)
    if solutions.first == 0:
        return solutions
    for number, radius in enumerate(RADII):
        tried = _proposals(task, solutions, number, radius, rng)
        if len(tried) == 0:
            break
        new = simulate(task, arm, physics, tried, threads)
        errors, costs = score(task, new, goals)
        solutions = replace(
            solutions,
            executions=solutions.executions + new,
            errors=np.concatenate([solutions.errors, errors], axis=1),
            costs=np.concatenate([solutions.costs, costs], axis=1),
        )
    return solutions


def score(task: Task, executions: ExecutedThetas, goals: Array) -> tuple[Array, Array]:
    """Return errors ``(G, n, m)`` and costs ``(G, n)`` [m] of executions to goals ``(G, g)``."""
    shape = (len(goals), len(executions.thetas), len(task.error_names))
    found = [[task.error(t, goal) for t in executions.trajectories] for goal in goals]
    errors = np.reshape(np.array(found, dtype=np.float64), shape)
    costs = [task.cost(error) for error in errors.reshape(-1, shape[-1])]
    return errors, np.reshape(np.array(costs, dtype=np.float64), shape[:2])


def _observed(task: Task, trajectory: ObjectTrajectory) -> bool:
    try:
        return bool(np.isfinite(task.error(trajectory, task.default_goal)).all())
    except ObservationMissing:
        return False


# --- refinement ---------------------------------------------------------------------------------


def _proposals(
    task: Task, found: Solutions, number: int, radius: float, rng: np.random.Generator
) -> Array:
    """Return thetas ``(n, d)`` to try in one round; none when every goal is solved."""
    points = task.space.normalise(found.executions.thetas)
    tried = [np.empty((0, task.space.dim))]
    for errors, costs in zip(found.errors, found.costs, strict=True):
        if costs.min() < SOLVED_COST:
            continue
        starts = _starts(points, costs, STARTS if number < START_ROUNDS else 1)
        for start in starts:
            count = LOCAL_SAMPLES // len(starts)
            tried.append(_around(points, errors * task.cost_mask, start, count, radius, rng))
    scaled = np.clip(np.concatenate(tried), -1.0, 1.0)
    return np.clip(task.space.denormalise(scaled), task.space.lower, task.space.upper)


def _starts(points: Array, costs: Array, most: int) -> list[int]:
    """Return the indices of up to ``most`` good points ``(n, d)`` that lie apart, best first."""
    chosen: list[int] = []
    for index in np.argsort(costs, kind="stable"):
        if all(
            np.linalg.norm(points[index] - points[other]) >= MIN_START_DISTANCE for other in chosen
        ):
            chosen.append(int(index))
        if len(chosen) == most:
            break
    return chosen


def _around(
    points: Array, errors: Array, start: int, count: int, radius: float, rng: np.random.Generator
) -> Array:
    """Return ``count`` scaled thetas: a Gauss-Newton step and random points around it."""
    centre = points[start] + _newton_step(points, errors, start, reach=3.0 * radius)
    offsets = radius * rng.uniform(-1.0, 1.0, (count, points.shape[1]))
    offsets[0] = 0.0
    offsets[1::2] += points[start] - centre  # half of them stay around the best point
    return np.asarray(centre + offsets)


def _newton_step(points: Array, errors: Array, start: int, reach: float) -> Array:
    """Return the step ``(d,)`` that zeroes a linear fit of ``errors`` ``(n, m)``.

    The fit goes through the start and its nearest points; the least-norm step is shortened to
    ``reach`` where the fit cannot be trusted.
    """
    offsets = points - points[start]
    near = np.argsort(np.linalg.norm(offsets, axis=1), kind="stable")[1 : 3 * points.shape[1] + 2]
    slopes = np.linalg.lstsq(offsets[near], errors[near] - errors[start], rcond=1e-6)[0]
    step = np.linalg.lstsq(slopes.T, -errors[start], rcond=1e-3)[0]
    length = float(np.linalg.norm(step))
    return np.asarray(step * min(1.0, reach / max(length, 1e-12)))
