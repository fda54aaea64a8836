"""One draw of a benchmark from demonstrations: goal and hidden physics, all improvers, any process.

The first trial is the demonstration itself.  No improver has examples, and the task knows nothing
of the world.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_benchmarks.contest.conditions import Condition
from icpi_benchmarks.contest.entrants import Entrant
from icpi_benchmarks.contest.play import ContestRules, Row, SharedRollouts, play
from icpi_benchmarks.demonstrated.black_boxes import black_box
from icpi_benchmarks.instances import STREAMS, Instance
from icpi_benchmarks.simulator import Simulate, simulator
from icpi_benchmarks.threads import one_thread
from icpi_ros.core.errors import ObservationMissing, Refusal
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import empty
from icpi_ros.robots import ARMS
from icpi_ros.tasks.base import Task

STREAM = 0xDE31
"""Last entropy word of the draws; none of the data sets, contests or runs."""
GOOD = 0.5e-3
"""Cost from which on the goal counts as reachable without a search [m]."""
SEARCHED = 128
"""Thetas all over the box of a search, then :data:`NEAR` around the best in each round."""
NEAR, REACHES = 32, (0.2, 0.07, 0.02, 0.007)
"""Thetas of a round, and half widths of the rounds, in half ranges of the box."""


@dataclass(frozen=True)
class ShownTask:
    """Task made from a demonstration, and where it is tried.

    Attributes:
        world: name of the black box.
        demonstration: seed of the hand.
        task: of the demonstration.
    """

    world: str
    demonstration: int
    task: Task

    def instance(self, draws: str, seed: int, number: int) -> Instance:
        """Return a draw: physics of the world, then a goal; the first trial is the demonstration.

        Raises:
            ValueError: the task has no demonstration.
        """
        words = [seed, self.demonstration, number, STREAMS[draws], STREAM]
        rng = np.random.default_rng(words)
        physics = black_box(self.world).task.sample_physics(rng)
        first = self.task.first_theta
        if first is None:
            raise ValueError(f"task {self.task.name} has no demonstration")
        return Instance(number, physics, self.task.sample_goal(rng), first)


@dataclass(frozen=True)
class ShownCells:
    """All cells of the benchmark; called with the number of a cell.

    Cell ``t * draws_each + n`` is draw n of task t, under all conditions.

    Attributes:
        tasks: in order.
        draws_each: draws of each task.
        draws: ``test`` or ``train``.
        conditions: in order, with different names.
        entrants: who takes part.
        rules: seed, trials, time limit.
        search: also search what the best theta of the box reaches.
    """

    tasks: tuple[ShownTask, ...]
    draws_each: int
    draws: str
    conditions: tuple[Condition, ...]
    entrants: tuple[Entrant, ...]
    rules: ContestRules
    search: bool = True

    def __call__(self, number: int) -> list[Row]:
        """Play one cell, single-threaded: a row per condition and improver."""
        index, draw = divmod(number, self.draws_each)
        with one_thread():
            return self._play(self.tasks[index], draw)

    def _play(self, shown: ShownTask, draw: int) -> list[Row]:
        task, world = shown.task, black_box(shown.world).task
        arm, instance = ARMS.get(task.arm), shown.instance(self.draws, self.rules.seed, draw)
        simulate = simulator(task, arm, instance.physics, world)
        rows: list[Row] = []
        for condition in self.conditions:
            bench = SharedRollouts(task, instance, condition.noise, self.rules.seed, simulate)
            played = play(
                task, arm, condition, instance, self.entrants, empty(task), self.rules, bench
            )
            rows += _by_improver(played, len(self.entrants))
        known = [(row["costs"], row["thetas"]) for row in rows]
        reachable = _reachable(task, instance, simulate, known) if self.search else None
        about = {
            "world": shown.world,
            "demonstration": shown.demonstration,
            "parameters": task.space.dim,
            "draw": draw,
            "physics": instance.physics.tolist(),
            "goal": instance.goal.tolist(),
            "reachable": reachable,
        }
        return [about | row for row in rows]


def _by_improver(played: Sequence[Row], count: int) -> list[Row]:
    """Return one row per improver of the rows of all its trials."""
    each = len(played) // count
    return [_joined(played[each * i : each * (i + 1)]) for i in range(count)]


def _joined(trials: Sequence[Row]) -> dict[str, Any]:
    return {
        "condition": trials[0]["condition"],
        "improver": trials[0]["improver"],
        "best_costs": [row["best_cost"] for row in trials],
        "costs": [row["cost"] for row in trials],
        "thetas": [row["theta"] for row in trials],
        "seconds": [row["seconds"] for row in trials],
        "failures": [row["failure"] for row in trials],
        "fallback_reasons": [row["fallback_reason"] for row in trials],
    }


def _reachable(
    task: Task,
    instance: Instance,
    simulate: Simulate,
    known: Sequence[tuple[Sequence[float | None], Sequence[Sequence[float]]]],
) -> float:
    """Return the lowest cost found in the box [m]: of all trials, then by a dense search."""
    tried = [
        (cost, theta)
        for costs, thetas in known
        for cost, theta in zip(costs, thetas, strict=True)
        if cost is not None
    ]
    best, theta = min(tried, default=(np.inf, instance.theta.tolist()))
    if best <= GOOD:
        return float(best)
    from scipy.stats import qmc

    space = task.space
    centre = space.normalise(np.asarray(theta, float))
    rng = np.random.default_rng([STREAM, instance.number])
    points = 2.0 * qmc.Sobol(space.dim, rng=rng).random(SEARCHED) - 1.0
    for reach in (None, *REACHES):
        if reach is not None:
            points = centre + reach * rng.uniform(-1.0, 1.0, (NEAR, space.dim))
        points = np.clip(points, -1.0, 1.0)
        costs = _costs(task, instance.goal, simulate, space.denormalise(points))
        first = int(np.argmin(costs))
        if costs[first] < best:
            best, centre = float(costs[first]), points[first]
        if best <= GOOD:
            break
    return float(best)


def _costs(task: Task, goal: Array, simulate: Simulate, thetas: Array) -> Array:
    """Return the cost ``(N,)`` [m] of every theta; infinite where there is none."""
    costs = np.full(len(thetas), np.inf)
    for i, path in enumerate(simulate(np.clip(thetas, task.space.lower, task.space.upper))):
        try:
            if not isinstance(path, Refusal):
                costs[i] = task.cost(task.error(path, goal))
        except ObservationMissing:
            pass
    return costs
