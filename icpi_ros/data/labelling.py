"""Labels by brute-force search: simulate many theta under one physics, keep the best.

ICPI, arXiv 2508.15021, "brute-force search": theta* is the best of many simulated theta under
the same hidden physics, the label of any other theta is dtheta = theta* - theta.  A grid alone
leaves 2 to 10 mm, so the best quasi-random point is refined by shrinking local searches.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import qmc

from icpi_ros.arms.base import Arm
from icpi_ros.data.dataset import Dataset
from icpi_ros.errors import InvalidValue
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array

GLOBAL_SAMPLES = 256
LOCAL_SAMPLES = 32
LOCAL_RADII = (0.10, 0.03, 0.01, 0.003)
"""Half-widths of the successive local searches, as a share of the half-range of theta."""


@dataclass(frozen=True)
class BruteForce:
    """What to build.

    Attributes:
        examples: number of triplets in all.
        draws: number of physics draws they are spread over.
        seed: of physics, samples and choice of examples.
        threads: simulation threads; the result does not depend on it.
    """

    examples: int = 300
    draws: int = 30
    seed: int = 0
    threads: int = 1

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be built."""
        if not 1 <= self.draws <= self.examples:
            raise InvalidValue(
                f"draws = {self.draws} does not fit examples = {self.examples}: "
                "allowed are 1 to the number of examples"
            )
        most = self.draws * GLOBAL_SAMPLES
        if self.examples > most:
            raise InvalidValue(f"{self.draws} draws give at most {most} examples: raise draws")


def build(
    task: Task, arm: Arm, plan: BruteForce, on_draw: Callable[[int], None] = lambda _: None
) -> Dataset:
    """Return a labelled data set; the same plan gives the same data set.

    Args:
        task: what to simulate; the goal of all examples is its default goal.
        arm: which arm executes it.
        plan: sizes and seed.
        on_draw: called with the number of finished draws.
    """
    counts = np.full(plan.draws, plan.examples // plan.draws)
    counts[: plan.examples % plan.draws] += 1
    parts = []
    for draw in range(plan.draws):
        parts.append(_label_draw(task, arm, plan, draw, int(counts[draw])))
        on_draw(draw + 1)
    columns = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    return Dataset(
        task=task.name,
        goal=np.tile(task.default_goal, (plan.examples, 1)),
        group=np.repeat(np.arange(plan.draws), counts),
        provenance={
            "label": "brute",
            "examples": plan.examples,
            "draws": plan.draws,
            "seed": plan.seed,
            "arm": arm.name,
            "global_samples": GLOBAL_SAMPLES,
            "local_samples": LOCAL_SAMPLES,
            "local_radii": list(LOCAL_RADII),
        },
        **columns,
    )


def _label_draw(task: Task, arm: Arm, plan: BruteForce, draw: int, count: int) -> dict[str, Array]:
    """Label ``count`` examples under one physics draw."""
    rng = np.random.default_rng([plan.seed, draw])
    physics = task.sample_physics(rng)
    sobol = qmc.Sobol(task.space.dim, rng=rng)
    thetas = task.space.denormalise(2.0 * sobol.random(GLOBAL_SAMPLES) - 1.0)
    errors, costs = _outcomes(task, arm, physics, thetas, plan.threads)
    best, best_cost = thetas[np.argmin(costs)], float(np.min(costs))
    for radius in LOCAL_RADII:
        step = radius * task.space.half_range * rng.uniform(-1, 1, (LOCAL_SAMPLES, task.space.dim))
        near = np.clip(best + step, task.space.lower, task.space.upper)
        _, near_costs = _outcomes(task, arm, physics, near, plan.threads)
        if near_costs.min() < best_cost:
            best, best_cost = near[np.argmin(near_costs)], float(near_costs.min())
    chosen = rng.choice(GLOBAL_SAMPLES, count, replace=False)
    return {
        "theta": thetas[chosen],
        "error": errors[chosen],
        "dtheta": best - thetas[chosen],
        "cost": costs[chosen],
        "label_cost": np.full(count, best_cost),
    }


def _outcomes(
    task: Task, arm: Arm, physics: Array, thetas: Array, threads: int
) -> tuple[Array, Array]:
    """Return errors ``(N, m)`` and costs ``(N,)`` [m] to the task's default goal."""
    trajectories = rollout(task, arm, physics, thetas, threads).trajectories
    errors = np.stack([task.error(trajectory, task.default_goal) for trajectory in trajectories])
    return errors, np.array([task.cost(error) for error in errors])
