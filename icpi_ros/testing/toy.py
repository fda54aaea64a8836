"""Slide in closed form, for checks of improvers without MuJoCo.

A puck leaves at START with speed v and heading h, decelerates with mu g and drifts sideways on a
tilted table: end = START + v^2 / (2 mu g) * (-sin h + sin(tilt) / mu, cos h).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from icpi_ros.core.space import Parameter, ParameterSpace
from icpi_ros.core.types import Array, Outcome
from icpi_ros.improvers.base import Context, Improver
from icpi_ros.learn.dataset.dataset import Dataset

GRAVITY = 9.81
START = np.array([0.6, 0.07])
GOAL = np.array([0.6, 0.42])
MASK = np.ones(2)
SPACE = ParameterSpace(
    (
        Parameter("speed", "m/s", 0.6, 1.6),
        Parameter("heading", "rad", -0.4, 0.4),
    )
)
PHYSICS = ParameterSpace(
    (
        Parameter("friction", "1", 0.10, 0.35),
        Parameter("tilt", "deg", -1.5, 1.5),
    ),
    label="physics",
)


def endpoint(theta: ArrayLike, physics: ArrayLike) -> Array:
    """Return the puck's final position (..., 2) [m] for theta (..., 2) and physics (2,)."""
    friction, tilt = np.asarray(physics)
    speed, heading = np.moveaxis(np.asarray(theta), -1, 0)
    length = speed**2 / (2.0 * friction * GRAVITY)
    slope = np.sin(np.deg2rad(tilt)) / friction
    sideways = length * (slope - np.sin(heading))
    return np.asarray(START + np.stack([sideways, length * np.cos(heading)], axis=-1))


def outcome(
    theta: Array,
    physics: ArrayLike,
    goal: Array = GOAL,
    noise: float = 0.0,
    rng: np.random.Generator | None = None,
) -> Outcome:
    """Return an executed trial as improvers see it; noise is the standard deviation [m]."""
    error = endpoint(theta, physics) - goal
    if noise and rng is not None:
        error = error + rng.normal(0.0, noise, 2)
    return Outcome(theta, error, float(np.linalg.norm(error)))


def best_theta(physics: ArrayLike, goal: Array = GOAL) -> Array:
    """Return the theta (2,) that ends at the goal, by fixed-point iteration on the heading."""
    friction, tilt = np.asarray(physics)
    aside, ahead = goal - START
    slope, heading = np.sin(np.deg2rad(tilt)) / friction, 0.0
    for _ in range(60):
        heading = np.arcsin(slope - aside / ahead * np.cos(heading))
    speed = np.sqrt(2.0 * friction * GRAVITY * ahead / np.cos(heading))
    return np.array([speed, heading])


def dataset(seed: int = 0, draws: int = 30, size: int = 300, goal: Array = GOAL) -> Dataset:
    """Return ``size`` brute-force triplets from ``draws`` physics samples."""
    rng = np.random.default_rng(seed)
    rows = []
    for n in range(size):
        if n % (size // draws) == 0:
            physics = PHYSICS.sample(rng)
        theta = SPACE.sample(rng)
        trial = outcome(theta, physics, goal)
        rows.append((theta, trial.error, best_theta(physics, goal) - theta, trial.cost))
    theta, error, dtheta, cost = (np.array(column) for column in zip(*rows, strict=True))
    return Dataset(
        task="toy",
        theta=theta,
        error=error,
        dtheta=dtheta,
        goal=np.tile(goal, (size, 1)),
        cost=cost,
        label_cost=np.zeros(size),
        group=np.arange(size) // (size // draws),
    )


def context(data: Dataset | None = None, **options: Any) -> Context:
    """Return the context that an improver is built with."""
    return Context(SPACE, GOAL, MASK, dataset() if data is None else data, options)


def run(
    improver: Improver,
    physics: Array,
    rng: np.random.Generator,
    adjustments: int,
    goal: Array = GOAL,
    noise: float = 0.0,
) -> list[Outcome]:
    """Return all outcomes of one improvement run from a random first attempt, which is included."""
    history = [outcome(SPACE.sample(rng), physics, goal, noise, rng)]
    for _ in range(adjustments):
        theta, _ = SPACE.project(improver.propose(history, rng).theta)
        history.append(outcome(theta, physics, goal, noise, rng))
    return history


def best_costs(
    improver: Improver,
    instances: int,
    adjustments: int,
    seed: int,
    noise: float = 0.0,
    goal: Array = GOAL,
) -> Array:
    """Return the best cost so far [m], (instances, adjustments + 1), on physics of ``seed``."""
    rows = []
    for child in np.random.SeedSequence(seed).spawn(instances):
        rng = np.random.default_rng(child)
        history = run(improver, PHYSICS.sample(rng), rng, adjustments, goal, noise)
        rows.append(np.minimum.accumulate([trial.cost for trial in history]))
    return np.array(rows)
