"""Does a data set made of 20 recorded trials help the next run on the same physics?

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

import numpy as np

from icpi_ros.core.errors import IcpiError
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.evaluate.importing import together
from icpi_ros.improvers.base import Context
from icpi_ros.learn.building.hindsight import all_pairs, relabel
from icpi_ros.learn.dataset.dataset import Dataset, empty, shipped
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm
from icpi_ros.runs.proposals import Seeded
from icpi_ros.runs.proposing import Proposer
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
class Entrant:
    """An improver with the examples that it may use."""

    label: str
    improver: str
    examples: str


ENTRANTS = (
    Entrant("no set, random", "random", "none"),
    Entrant("no set, GP search", "bo", "none"),
    Entrant("shipped set", "embedded", "shipped"),
    Entrant("imported set", "embedded", "imported"),
    Entrant("shipped and imported", "embedded", "both"),
)


def run_draw(task: Task, arm: Arm, seed: int, number: int) -> dict[str, list[float]]:
    """Return the best cost [m] after 0, 1, ... adjustments of each entrant on one physics."""
    rng = np.random.default_rng([seed, number, STREAM])
    physics = task.sample_physics(rng)
    world = World(task, arm, physics)

    def execute(thetas: Array) -> list[ObjectTrajectory]:
        return rollout(task, arm, physics, thetas, world=world).trajectories

    sets = _sets(task, task.space.sample(rng, RECORDED), execute)
    goal, first = task.sample_goal(rng), task.space.sample(rng)
    return {
        entrant.label: _improve(task, entrant, sets[entrant.examples], goal, first, execute, number)
        for entrant in ENTRANTS
    }


def _sets(task: Task, thetas: Array, execute: Execute) -> Mapping[str, Dataset]:
    known = shipped(task)
    own = relabel(task, thetas, execute(thetas), all_pairs(len(thetas)), 0)
    both = together(known, own, task)
    return {"none": empty(task), "shipped": known, "imported": own, "both": both}


def _improve(
    task: Task,
    entrant: Entrant,
    examples: Dataset,
    goal: Array,
    first: Array,
    execute: Execute,
    seed: int,
) -> list[float]:
    context = Context(task.space, goal, task.cost_mask, examples)
    run = Run(
        task,
        improver=entrant.improver,
        goal=goal,
        trials=ADJUSTMENTS + 1,
        proposals=Seeded(Proposer(entrant.improver, context), seed, first),
    )
    while not run.finished:
        run.tell(execute(run.ask().theta[np.newaxis])[0])
    return [trial.best_cost for trial in run.trials]


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; 0 if all draws were run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--task", default="slide-gc")
    parser.add_argument("--draws", type=int, default=12)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args(argv)
    if args.draws < 1 or args.seed < 0:
        parser.error("--draws must be at least 1 and --seed at least 0")
    try:
        task = TASKS.get(args.task)
        arm = ARMS.get(task.arm)
        found = [run_draw(task, arm, args.seed, number) for number in range(args.draws)]
    except IcpiError as exc:
        print(f"error: {exc}", file=sys.stderr)
        return exc.exit_code
    print(f"{task.name}, {args.draws} draws: best cost, mean (median) in mm after n adjustments")
    print(f"{'examples':<22}" + "".join(f"{n:>18}" for n in range(ADJUSTMENTS + 1)))
    for entrant in ENTRANTS:
        costs = 1e3 * np.array([one[entrant.label] for one in found])
        cells = zip(costs.mean(axis=0), np.median(costs, axis=0), strict=True)
        print(f"{entrant.label:<22}" + "".join(f"{f'{a:.2f} ({b:.2f})':>18}" for a, b in cells))
    for n in (1, 2):
        print(_paired(found, n))
    return 0


def _paired(found: Sequence[Mapping[str, Sequence[float]]], n: int) -> str:
    """Return what the imported examples add to the shipped ones after ``n`` adjustments."""
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
    sys.exit(main())
