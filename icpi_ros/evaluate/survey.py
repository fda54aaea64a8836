"""Survey of a task: its worth for iterating, by simulation under several samples of physics.

A good task can be solved under every physics (best reachable cost), needs to adapt (another
sample's best theta is bad) and is smooth (fine-scale noise far below the cost that counts).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import simulated_feasibility

LOCAL_RADII = (0.10, 0.03, 0.01, 0.003)
"""Half-widths of the successive local searches, as a share of the half-range of theta."""
LINE_WIDTH = 0.01
"""Half-length of the line on which noise is measured, as a share of the half-range of theta."""
FIT_COEFFICIENTS = 3
"""Coefficients of the fit along that line."""
_STREAM = 0x5EED
Paths = list[ObjectTrajectory | None]
"""Of thetas; None = the arm cannot execute it."""


@dataclass(frozen=True)
class SurveyPlan:
    """Size of a survey: ``draws * (samples + 4 * (local + 2) + line)`` rollouts.

    Attributes:
        draws: number of physics samples (and of goals, if the goal varies).
        samples: quasi-random theta per draw, a power of two; the same for all draws.
        local: theta of each of the four local searches.
        line: points of the line on which noise is measured.
        seed: of everything.
        threads: of the simulation; the result does not depend on it.
    """

    draws: int = 8
    samples: int = 256
    local: int = 12
    line: int = 33
    seed: int = 0
    threads: int = 1


@dataclass(frozen=True)
class Survey:
    """Figures of ``D`` physics samples; costs in [m].

    Attributes:
        physics: ``(D, P)`` hidden physics.
        goals: ``(D, g)`` goal that each sample was solved for.
        best_theta: ``(D, d)`` best theta found.
        best_cost: ``(D,)`` its cost.
        other_cost: ``(D,)`` mean cost of the thetas that are best for the same goal under each
            of the other samples (best of the quasi-random samples); NaN for a single one.
        first_cost: ``(D,)`` mean cost of a random theta.
        noise: ``(D,)`` rms of the error along a short line through the best theta, after a
            quadratic fit [m].
    """

    physics: Array
    goals: Array
    best_theta: Array
    best_cost: Array
    other_cost: Array
    first_cost: Array
    noise: Array


@dataclass(frozen=True)
class Landscape:
    """Cost over two theta dimensions under some physics samples, all for one goal.

    Attributes:
        axes: indices of the two dimensions; the others are at each sample's best theta.
        x, y: ``(K,)`` values of the two dimensions.
        cost: ``(D, K, K)`` [m], indexed by sample, y, x.
        error: ``(D, K, K, m)`` what counts of the errors, which are smooth where costs have a
            kink: at the optimum.
        physics: ``(D, P)``.
        best_theta: ``(D, d)``.
        best_cost: ``(D,)`` [m].
        goal: ``(g,)``.
    """

    axes: tuple[int, int]
    x: Array
    y: Array
    cost: Array
    error: Array
    physics: Array
    best_theta: Array
    best_cost: Array
    goal: Array


def survey(
    task: Task, arm: Arm, plan: SurveyPlan, on_draw: Callable[[], None] = lambda: None
) -> Survey:
    """Measure a task; the same plan gives the same figures.

    Args:
        task: what to measure.
        arm: which arm executes it.
        plan: how much to simulate.
        on_draw: called after each physics sample.

    Raises:
        SimulationUnstable: a rollout is not finite.
    """
    rng = np.random.default_rng([plan.seed, _STREAM])
    physics, goals = survey_draws(task, plan)
    thetas = _sampled_thetas(task, plan)
    best_theta, best_cost, noise, paths = [], [], [], []
    for draw in range(plan.draws):
        world = _World(task, arm, physics[draw], plan.threads)
        paths.append(world.sampled_paths(thetas))
        theta, cost = _refine(world, goals[draw], thetas, paths[-1], plan, rng)
        best_theta.append(theta)
        best_cost.append(cost)
        noise.append(_noise(world, goals[draw], theta, plan, rng))
        on_draw()
    # costs[i, j, k]: goal i, physics j, theta k
    costs = np.array([[_costs(task, path, goal) for path in paths] for goal in goals])
    return Survey(
        physics=physics,
        goals=goals,
        best_theta=np.array(best_theta),
        best_cost=np.array(best_cost),
        other_cost=_other_costs(costs),
        first_cost=np.array([np.nanmean(costs[i, i]) for i in range(plan.draws)]),
        noise=np.array(noise),
    )


def survey_draws(task: Task, plan: SurveyPlan) -> tuple[Array, Array]:
    """Return the physics ``(D, P)`` and the goals ``(D, g)`` of a survey."""
    rng = np.random.default_rng([plan.seed, _STREAM, 3])
    physics = [task.sample_physics(rng) for _ in range(plan.draws)]
    goals = [task.sample_goal(rng) for _ in range(plan.draws)]
    return np.stack(physics), np.stack(goals)


def landscape(
    task: Task,
    arm: Arm,
    physics: Array,
    plan: SurveyPlan,
    size: int = 32,
    axes: tuple[int, int] = (0, 1),
    on_draw: Callable[[], None] = lambda: None,
) -> Landscape:
    """Return the cost for the default goal over two theta dimensions, on a grid of ``size``^2.

    Args:
        task: what to measure.
        arm: which arm executes it.
        physics: ``(D, P)`` samples.
        plan: how each sample's best theta is searched for.
        size: points per dimension.
        axes: the two dimensions of theta.
        on_draw: called after each sample.
    """
    rng = np.random.default_rng([plan.seed, _STREAM, 1])
    thetas, goal = _sampled_thetas(task, plan), task.default_goal.copy()
    x, y = (np.linspace(task.space.lower[i], task.space.upper[i], size) for i in axes)
    cost, error, best_theta, best_cost = [], [], [], []
    for phi in physics:
        world = _World(task, arm, phi, plan.threads)
        best, least = _refine(world, goal, thetas, world.sampled_paths(thetas), plan, rng)
        grid = np.tile(best, (size * size, 1))
        grid[:, axes[0]], grid[:, axes[1]] = np.tile(x, size), np.repeat(y, size)
        paths = world.paths(grid)
        cost.append(_costs(task, paths, goal).reshape(size, size))
        error.append(_errors(task, paths, goal).reshape(size, size, -1))
        best_theta.append(best)
        best_cost.append(least)
        on_draw()
    return Landscape(
        axes, x, y, np.array(cost), np.array(error), physics, np.array(best_theta),
        np.array(best_cost), goal,
    )  # fmt: skip


class _World:
    """Rollouts and errors under one physics."""

    def __init__(self, task: Task, arm: Arm, physics: Array, threads: int) -> None:
        self.task, self._arm, self._physics, self._threads = task, arm, physics, threads
        self._scene = World(task, arm, physics)
        self._why_not = simulated_feasibility(task, arm)

    def paths(self, thetas: Array) -> Paths:
        possible = np.array([not self._why_not(theta) for theta in thetas], dtype=bool)
        if not possible.any():
            return [None] * len(thetas)
        made = rollout(
            self.task, self._arm, self._physics, thetas[possible], self._threads, self._scene
        )
        found = iter(made.trajectories)
        return [next(found) if each else None for each in possible]

    def sampled_paths(self, thetas: Array) -> Paths:
        """Return the paths of thetas all over the space; at least one is there.

        Raises:
            UsageError: the arm can execute none of them.
        """
        found = self.paths(thetas)
        if all(path is None for path in found):
            raise UsageError(
                f"{self._arm.name} can execute none of {len(thetas)} thetas of {self.task.name}: "
                "see `icpi arm check ARM --task`"
            )
        return found

    def errors(self, thetas: Array, goal: Array) -> Array:
        """Return what counts of the errors, ``(N, m)``; NaN where the arm cannot execute it."""
        return _errors(self.task, self.paths(thetas), goal)


def _errors(task: Task, paths: Paths, goal: Array) -> Array:
    missing = np.full(len(task.cost_mask), np.nan)
    return np.array(
        [missing if path is None else task.error(path, goal) * task.cost_mask for path in paths]
    )


def _costs(task: Task, paths: Paths, goal: Array) -> Array:
    return np.array(
        [np.nan if path is None else task.cost(task.error(path, goal)) for path in paths]
    )


def _sampled_thetas(task: Task, plan: SurveyPlan) -> Array:
    """Return quasi-random theta over the whole space, ``(samples, d)``."""
    from scipy.stats import qmc  # scipy.stats is 1.3 s that a wrong option need not take

    sobol = qmc.Sobol(task.space.dim, rng=np.random.default_rng([plan.seed, _STREAM, 2]))
    return task.space.denormalise(2.0 * sobol.random(plan.samples) - 1.0)


def _refine(
    world: _World,
    goal: Array,
    thetas: Array,
    paths: Paths,
    plan: SurveyPlan,
    rng: np.random.Generator,
) -> tuple[Array, float]:
    """Improve the best of ``thetas`` ``(N, d)``; return it and its cost [m].

    Each round samples a neighbourhood, fits the error linearly and tries its solution and the
    way half to it.
    """
    space = world.task.space
    errors = _errors(world.task, paths, goal)
    costs = _costs(world.task, paths, goal)
    k = int(np.nanargmin(costs))
    best, error, cost = thetas[k], errors[k], float(costs[k])
    for radius in LOCAL_RADII:
        steps = radius * rng.uniform(-1.0, 1.0, (plan.local, space.dim))
        near = space.project(best + steps * space.half_range)[0]
        found = world.errors(near, goal)
        there = np.isfinite(found).all(axis=1)
        if not there.any():
            continue
        inputs = (near - best) / space.half_range
        slope = np.linalg.lstsq(inputs[there], (found - error)[there], rcond=None)[0]
        step = -np.linalg.lstsq(slope.T, error, rcond=None)[0]
        guesses = best + np.outer([1.0, 0.5], step * space.half_range)
        guesses = space.project(guesses)[0]
        tried = np.concatenate([near, guesses])
        found = np.concatenate([found, world.errors(guesses, goal)])
        k = int(np.nanargmin(np.linalg.norm(found, axis=1)))
        if np.linalg.norm(found[k]) < cost:
            best, error, cost = tried[k], found[k], float(np.linalg.norm(found[k]))
    return best, cost


def _noise(
    world: _World, goal: Array, theta: Array, plan: SurveyPlan, rng: np.random.Generator
) -> float:
    """Return the rms error [m] left by a quadratic along a random short line around ``theta``."""
    space = world.task.space
    direction = rng.standard_normal(space.dim)
    direction *= LINE_WIDTH * space.half_range / np.linalg.norm(direction)
    margin = np.abs(direction)
    centre = np.clip(theta, space.lower + margin, space.upper - margin)
    along = np.linspace(-1.0, 1.0, plan.line)
    errors = world.errors(centre + np.outer(along, direction), goal)
    there = np.isfinite(errors).all(axis=1)
    if np.count_nonzero(there) <= FIT_COEFFICIENTS:
        return float("nan")
    along, errors = along[there], errors[there]
    fit = np.polynomial.polynomial.polyfit(along, errors, 2)
    left = errors - np.polynomial.polynomial.polyval(along, fit).T
    return float(np.sqrt(np.mean(np.sum(left**2, axis=1))))


def _other_costs(costs: Array) -> Array:
    """Return ``(D,)`` from costs ``(D, D, K)`` by goal, physics and theta."""
    draws = len(costs)
    result = np.full(draws, np.nan)
    for i in range(draws):
        theirs = [int(np.nanargmin(costs[i, j])) for j in range(draws) if j != i]
        if theirs:
            result[i] = costs[i, i, theirs].mean()
    return result
