"""Labelled examples of one physics draw: the unit of work of a data-set build.

ICPI, arXiv 2508.15021: triplets (theta, state, dtheta) labelled by brute-force search
(:mod:`icpi_ros.learn.building.search`) or by hindsight
(:mod:`icpi_ros.learn.building.hindsight`).  A draw depends on the task, the plan and its own number
only, so draws can be made anywhere and in any order.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version

import numpy as np

from icpi_ros import __version__
from icpi_ros.core.types import Array
from icpi_ros.learn.building.hindsight import choose_pairs, relabel
from icpi_ros.learn.building.plan import Plan
from icpi_ros.learn.building.search import Executions, explore, search
from icpi_ros.learn.dataset.dataset import Dataset, empty
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

_NOISE_STREAM = 0x401
"""Label noise has a generator of its own: with and without it the examples are the same."""


def versions(*packages: str) -> dict[str, str]:
    """Return the versions that examples depend on: icpi_ros, numpy and ``packages``."""
    found = {"icpi_ros": __version__, "numpy": np.__version__}
    for name in packages:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "unknown"
    return found


def label_draw(task: Task, arm: Arm, plan: Plan, draw: int, threads: int = 1) -> Dataset:
    """Label the examples of physics draw number ``draw``; its number is their group.

    The provenance holds ``rollouts``, how many of them were ``dropped``, and the ``versions``
    of who made it.  Where too many were dropped there are fewer examples than planned, even none.

    Args:
        task: what to execute.
        arm: that executes it.
        plan: see :class:`Plan`; already checked.
        draw: 0 to plan.draws - 1.
        threads: simulation threads; the result does not depend on it.
    """
    rng, count = plan.rng(draw), plan.counts()[draw]
    physics = plan.sample_physics(task, rng)
    label = _hindsight if plan.label == "hindsight" else _brute
    dataset, made = label(task, arm, plan, physics, count, rng, threads)
    facts = {
        "rollouts": len(made.thetas) + made.dropped,
        "dropped": made.dropped,
        "versions": versions("mujoco"),
    }
    group = np.full(len(dataset), draw, dtype=np.int64)
    dataset = replace(dataset, group=group, provenance=facts)
    if plan.label_noise > 0.0:
        dataset = with_label_noise(dataset, task, plan.label_noise, plan.seed)
    return dataset


def _brute(
    task: Task,
    arm: Arm,
    plan: Plan,
    physics: Array,
    count: int,
    rng: np.random.Generator,
    threads: int,
) -> tuple[Dataset, Executions]:
    """Label ``count`` quasi-random executions, spread evenly over the draw's goals."""
    goals = plan.sample_goals(task, rng)
    found = search(task, arm, physics, goals, rng, threads)
    if found.first == 0:
        return empty(task), found.executions
    chosen = rng.choice(found.first, min(count, found.first), replace=False)
    goal = np.arange(len(chosen)) * len(goals) // max(len(chosen), 1)
    thetas, best = found.executions.thetas, found.best
    dataset = Dataset(
        task=task.name,
        theta=thetas[chosen],
        error=found.errors[goal, chosen],
        dtheta=thetas[best[goal]] - thetas[chosen],
        goal=goals[goal],
        cost=found.costs[goal, chosen],
        label_cost=found.costs[goal, best[goal]],
        group=np.zeros(len(chosen), dtype=np.int64),
    )
    return dataset, found.executions


def _hindsight(
    task: Task,
    arm: Arm,
    plan: Plan,
    physics: Array,
    count: int,
    rng: np.random.Generator,
    threads: int,
) -> tuple[Dataset, Executions]:
    """Relabel pairs of ``count + 1`` executions: as many trials as a robot would spend."""
    made = explore(task, arm, physics, count + 1, rng, threads)
    pairs = choose_pairs(len(made.thetas), count, rng)
    return relabel(task, made.thetas, made.trajectories, pairs, group=0), made


def with_label_noise(dataset: Dataset, task: Task, std: float, seed: int) -> Dataset:
    """Disturb the labels; nobody measured what the disturbed ones cost.

    A data set of seed ``seed`` becomes what a build with this noise would have made of it.

    Args:
        dataset: groups are numbers of physics draws.
        task: of the examples.
        std: of white noise on dtheta, as a share of the half-range of each parameter.
        seed: of the build.
    """
    noise = np.empty_like(dataset.dtheta)
    for draw in np.unique(dataset.group):
        rows = np.flatnonzero(dataset.group == draw)
        rng = np.random.default_rng([seed, int(draw), _NOISE_STREAM])
        noise[rows] = rng.standard_normal((len(rows), noise.shape[1]))
    unknown = np.full(len(dataset), np.nan)
    disturbed = dataset.dtheta + std * task.space.half_range * noise
    return replace(dataset, dtheta=disturbed, label_cost=unknown)
