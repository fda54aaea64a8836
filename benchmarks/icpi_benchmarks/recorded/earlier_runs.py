"""Gain of learning from earlier runs of the store, under the same and under other physics.

    python -m icpi_benchmarks.recorded.earlier_runs --task slide-gc --draws 24

Each draw of hidden physics: ``embedded`` does ten runs of six trials, each with a goal of its own,
under this physics (the same robot and object) or each under another one.  Then a run with a new
goal and a new first attempt under the drawn physics learns from none, one, three or all of them
(`icpi run --learn-from`), beside the shipped data set or without one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from icpi_benchmarks.program import run_program
from icpi_ros.cli.arguments import whole
from icpi_ros.cli.json_output import kept
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset, empty, shipped
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm
from icpi_ros.runs.run import Run
from icpi_ros.runs.store.storage import MemoryStorage
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import simulated_feasibility

STREAM = 0x3A11
"""Last entropy word of this experiment's draws; none of the data sets or benchmarks."""
EARLIER = (0, 1, 3, 10)
"""Numbers of earlier runs that are learnt from."""
EARLIER_TRIALS = 6
ADJUSTMENTS = 3
PHYSICS = ("same", "other")
"""Of the earlier runs: that of the new run, or another one each."""
SETS = ("shipped", "none")
"""Data sets beside them."""

Row = dict[str, Any]


class _PhysicsSample:
    """A task under one hidden physics."""

    def __init__(self, task: Task, arm: Arm, physics: Array) -> None:
        self._task, self._arm, self._physics = task, arm, physics
        self._world = World(task, arm, physics)

    def finish(self, run: Run) -> Run:
        """Execute a run to its end."""
        run.why_not = simulated_feasibility(self._task, self._arm)
        while not run.finished:
            theta = run.ask().theta[np.newaxis]
            done = rollout(self._task, self._arm, self._physics, theta, world=self._world)
            run.tell(done.trajectories[0])
        return run


def run_draw(
    task: Task, arm: Arm, seed: int, number: int, counts: Sequence[int] = EARLIER
) -> list[Row]:
    """Return the best costs [m] after 0, 1, ... adjustments, a row per way to learn."""
    rng = np.random.default_rng([seed, number, STREAM])
    own = _PhysicsSample(task, arm, task.sample_physics(rng))
    others = [_PhysicsSample(task, arm, task.sample_physics(rng)) for _ in range(max(counts))]
    goals = [task.sample_goal(rng) for _ in range(max(counts))]
    goal, known = task.sample_goal(rng), shipped(task)
    rows: list[Row] = []
    for beside in SETS:
        examples = known if beside == "shipped" else empty(task)
        for physics in PHYSICS:
            tables = [own if physics == "same" else other for other in others]
            storage, ids = _earlier(task, tables, goals, examples, number)
            for count in counts:
                if count == 0 and physics != PHYSICS[0]:
                    continue  # the same as before
                start = time.perf_counter()
                run = _begin(task, goal, examples, storage, number, ADJUSTMENTS + 1, ids[:count])
                seconds = time.perf_counter() - start
                costs = [trial.best_cost for trial in own.finish(run).trials]
                what = {"draw": number, "set": beside, "physics": physics, "runs": count}
                rows.append({**what, "seconds": seconds, "costs": costs})
    return rows


def _earlier(
    task: Task,
    tables: Sequence[_PhysicsSample],
    goals: Sequence[Array],
    examples: Dataset,
    number: int,
) -> tuple[MemoryStorage, list[str]]:
    """Return a storage with earlier runs, and their ids."""
    storage, ids = MemoryStorage(), []
    for n, (table, goal) in enumerate(zip(tables, goals, strict=True)):
        seed = 1000 * (number + 1) + n
        run = _begin(task, goal, examples, storage, seed, EARLIER_TRIALS)
        ids.append(table.finish(run).run_id)
    return storage, ids


def _begin(
    task: Task,
    goal: Array,
    examples: Dataset,
    storage: MemoryStorage,
    seed: int,
    trials: int,
    ids: Sequence[str] = (),
) -> Run:
    return Run(
        task,
        goal=goal,
        trials=trials,
        seed=seed,
        dataset=examples,
        storage=storage,
        learn_from=list(ids) or "none",
    )


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the task, the number of physics samples, and the seed."""
    parser.add_argument("--task", default="slide-gc")
    parser.add_argument("--draws", type=whole(1, 100_000), default=24, help="physics samples")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)


def run(args: argparse.Namespace) -> int:
    """Print the table; a row is one run: best costs [m], and the time to begin it [s]."""
    task = TASKS.get(args.task)
    arm = ARMS.get(task.arm)
    with kept(args.json, list[Row]()) as rows:
        for number in range(args.draws):
            rows.extend(run_draw(task, arm, args.seed, number))
    print(f"{task.name}, {args.draws} draws: best cost, mean (median) in mm after n adjustments")
    print(f"{'data set':<9}{'earlier runs':<20}" + "".join(f"{n:>18}" for n in range(1, 4)))
    ways = dict.fromkeys((row["set"], row["physics"], row["runs"]) for row in rows)
    for way in ways:
        costs = 1e3 * np.array(
            [row["costs"] for row in rows if (row["set"], row["physics"], row["runs"]) == way]
        )
        beside, physics, count = way
        what = f"{count}, {physics} physics" if count else "none"
        cells = zip(costs.mean(axis=0)[1:], np.median(costs, axis=0)[1:], strict=True)
        print(f"{beside:<9}{what:<20}" + "".join(f"{f'{a:.2f} ({b:.2f})':>18}" for a, b in cells))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
