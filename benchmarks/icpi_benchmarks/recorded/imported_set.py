"""Gain of a data set made of 20 recorded trials in the next run on the same physics.

    python -m icpi_benchmarks.recorded.imported_set --task slide-gc --draws 12

Each draw of hidden physics: 20 trials with random theta are recorded and made into hindsight
examples as ``icpi dataset import --bag`` does.  Then a run with a new goal and a new first attempt
on the same physics is improved with: no examples (random, Bayesian optimisation), the shipped set
(made of other physics), the imported set, and both together.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_benchmarks.program import run_program
from icpi_ros.cli.arguments import whole
from icpi_ros.cli.json_output import kept
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.improvers.base import Context
from icpi_ros.learn.building.hindsight import all_pairs, relabel
from icpi_ros.learn.dataset.dataset import Dataset, empty, shipped
from icpi_ros.learn.dataset.joining import together
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm
from icpi_ros.runs.proposals import Proposer, SeededProposals
from icpi_ros.runs.run import Run
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

RECORDED = 20
STREAM = 0x1B46
"""Last entropy word of this experiment's draws; none of the data sets."""
ADJUSTMENTS = 3

Execute = Callable[[Array], list[ObjectTrajectory]]


@dataclass(frozen=True)
class ExampleSource:
    """An improver with the examples that it may use."""

    label: str
    improver: str
    examples: str


SOURCES = (
    ExampleSource("no set, random", "random", "none"),
    ExampleSource("no set, GP search", "bo", "none"),
    ExampleSource("shipped set", "embedded", "shipped"),
    ExampleSource("imported set", "embedded", "imported"),
    ExampleSource("shipped and imported", "embedded", "both"),
)


def run_draw(task: Task, arm: Arm, seed: int, number: int) -> dict[str, list[float]]:
    """Return the best cost [m] after 0, 1, ... adjustments on one physics sample, by source."""
    rng = np.random.default_rng([seed, number, STREAM])
    physics = task.sample_physics(rng)
    world = World(task, arm, physics)

    def execute(thetas: Array) -> list[ObjectTrajectory]:
        return rollout(task, arm, physics, thetas, world=world).trajectories

    sets = _sets(task, task.space.sample(rng, RECORDED), execute)
    goal, first = task.sample_goal(rng), task.space.sample(rng)
    return {
        source.label: _improve(task, source, sets[source.examples], goal, first, execute, number)
        for source in SOURCES
    }


def _sets(task: Task, thetas: Array, execute: Execute) -> Mapping[str, Dataset]:
    known = shipped(task)
    own = relabel(task, thetas, execute(thetas), all_pairs(len(thetas)), 0)
    both = together(known, own, task)
    return {"none": empty(task), "shipped": known, "imported": own, "both": both}


def _improve(
    task: Task,
    source: ExampleSource,
    examples: Dataset,
    goal: Array,
    first: Array,
    execute: Execute,
    seed: int,
) -> list[float]:
    context = Context(task.space, goal, task.cost_mask, examples)
    run = Run(
        task,
        improver=source.improver,
        goal=goal,
        trials=ADJUSTMENTS + 1,
        proposals=SeededProposals(Proposer(source.improver, context), seed, first),
    )
    while not run.finished:
        run.tell(execute(run.ask().theta[np.newaxis])[0])
    return [trial.best_cost for trial in run.trials]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the task, the number of physics samples, and the seed."""
    parser.add_argument("--task", default="slide-gc")
    parser.add_argument("--draws", type=whole(1, 100_000), default=12, help="physics samples")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)


def run(args: argparse.Namespace) -> int:
    """Print the table; the rows are the best costs [m] by physics sample and source of examples."""
    task = TASKS.get(args.task)
    arm = ARMS.get(task.arm)
    with kept(args.json, list[dict[str, Any]]()) as rows:
        for number in range(args.draws):
            rows.append({"draw": number, **run_draw(task, arm, args.seed, number)})
    print(f"{task.name}, {args.draws} draws: best cost, mean (median) in mm after n adjustments")
    print(f"{'examples':<22}" + "".join(f"{n:>18}" for n in range(ADJUSTMENTS + 1)))
    for source in SOURCES:
        costs = 1e3 * np.array([row[source.label] for row in rows])
        cells = zip(costs.mean(axis=0), np.median(costs, axis=0), strict=True)
        print(f"{source.label:<22}" + "".join(f"{f'{a:.2f} ({b:.2f})':>18}" for a, b in cells))
    for n in (1, 2):
        print(_paired(rows, n))
    return 0


def _paired(found: Sequence[Mapping[str, Any]], n: int) -> str:
    """Return the gain of the imported over the shipped examples alone after ``n`` adjustments."""
    alone, both = (
        1e3 * np.array([one[label][n] for one in found])
        for label in ("shipped set", "shipped and imported")
    )
    gain = alone - both
    rng = np.random.default_rng([STREAM, n])
    means = rng.choice(gain, (10_000, len(gain))).mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return (
        f"adjustment {n}: the imported examples lower the cost by {gain.mean():.2f} mm on average "
        f"(95 % {low:.2f} to {high:.2f} mm), in {np.count_nonzero(gain > 0.0)} of {len(gain)} draws"
    )


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
