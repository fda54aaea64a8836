"""Recovery of hidden physics from a run's trials, and its gain in the next run.

Per instance: a run of ``embedded`` with the shipped data set under unseen physics is recorded with
sensor noise; physics are calibrated from it and compared with the truth; a small data set is built
around the estimate; then a new goal and a new first attempt under the same physics are adjusted
once with the shipped set and once with the built one.

    python -m icpi_benchmarks.recorded.physics TASK [--instances 10] [--trials 5]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from icpi_benchmarks.contest.conditions import Condition
from icpi_benchmarks.contest.entrants import entrants
from icpi_benchmarks.contest.play import ContestRules, Row, SharedRollouts, play
from icpi_benchmarks.instances import STREAMS, Instance, draw_instance
from icpi_benchmarks.program import run_program
from icpi_benchmarks.simulator import Simulate, simulator
from icpi_benchmarks.threads import one_thread
from icpi_ros.cli.arguments import whole
from icpi_ros.cli.json_output import kept
from icpi_ros.core.errors import IcpiError, Refusal
from icpi_ros.core.types import Array, ObjectTrajectory, Trial
from icpi_ros.evaluate.physics.estimate import PhysicsEstimate, estimate_of
from icpi_ros.evaluate.physics.fit import fit
from icpi_ros.learn.building.build import build
from icpi_ros.learn.building.plan import DatasetPlan
from icpi_ros.learn.dataset.dataset import Dataset, shipped
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.belief import Belief
from icpi_ros.tasks.observation import Observation, observe

IMPROVER = "embedded"
NOISE = 5e-4
"""Of every coordinate of every sample [m]: as a typical camera's final positions are off."""
LOST = 0.05
"""Share of samples that are missing."""
EXAMPLES, DRAWS = 60, 3
"""Of the data set around the estimate, by default: examples, and physics that they are drawn at."""
_SENSOR, _NEW = 0x5E45, 0x4E17
_TIME_LIMIT = 60.0


@dataclass(frozen=True)
class Recovery:
    """One instance.

    Attributes:
        number: of the instance.
        truth, estimate, deviation: of every hidden parameter [unit of the task].
        known: True if the calibration calls it known.
        covered: True if its interval holds the truth.
        rollouts, seconds: that the calibration took [s].
        first: cost [m] of the new first attempt.
        shipped: cost [m] after one adjustment with the shipped data set.
        built: cost [m] after one with the one built around the estimate.
    """

    number: int
    truth: list[float]
    estimate: list[float]
    deviation: list[float]
    known: list[bool]
    covered: list[bool]
    rollouts: int
    seconds: float
    first: float
    shipped: float
    built: float


def recover(
    task: Task, arm: Arm, draws: str, seed: int, number: int, trials: int, examples: int = EXAMPLES
) -> Recovery:
    """Record a run, calibrate from it, and adjust a new problem; see the head of this module.

    Raises:
        IcpiError: no trial of the run was observed.
    """
    instance = draw_instance(task, draws, seed, number)
    simulate = simulator(task, arm, instance.physics)
    rules = ContestRules(seed, trials, _TIME_LIMIT)
    rows = _play(task, arm, instance, shipped(task), rules, simulate)
    thetas = np.array([row["theta"] for row in rows if row["cost"] is not None])
    rng = np.random.default_rng([seed, number, STREAMS[draws], _SENSOR])
    seen = [
        Trial.executed(n, theta, _sensed(path, rng))
        for n, (theta, path) in enumerate(zip(thetas, simulate(thetas), strict=True))
        if not isinstance(path, Refusal)
    ]
    if not seen:
        raise IcpiError(f"{task.name}, instance {number}: no trial was observed")
    begin = time.perf_counter()
    found = estimate_of(task, seen, fit(task, arm, seen))
    seconds = time.perf_counter() - begin
    costs = _adjusted(task, arm, instance, found.belief, seed, simulate, examples)
    return _compared(number, instance.physics, found, seconds, costs)


def _sensed(path: ObjectTrajectory, rng: np.random.Generator) -> ObjectTrajectory:
    """Return a path as observed by a noisy sensor that loses samples."""
    noisy = observe(path, Observation(noise=NOISE), rng)
    lost = rng.uniform(size=len(path.times)) < LOST
    return replace(noisy, positions=np.where(lost[:, np.newaxis], np.nan, noisy.positions))


def _adjusted(
    task: Task,
    arm: Arm,
    instance: Instance,
    belief: Belief,
    seed: int,
    simulate: Simulate,
    examples: int,
) -> tuple[float, float, float]:
    """Return costs [m]: new first attempt, adjusted with the shipped set, with the built one."""
    rng = np.random.default_rng([seed, instance.number, _NEW])
    new = replace(instance, goal=task.sample_goal(rng), theta=task.space.sample(rng))
    plan = DatasetPlan(examples=examples, draws=DRAWS, around=belief)
    rules = ContestRules(seed, 2, _TIME_LIMIT)
    ours, theirs = (
        _play(task, arm, new, data, rules, simulate)
        for data in (build(task, arm, plan), shipped(task))
    )
    return _cost(theirs[0]), _cost(theirs[1]), _cost(ours[1])


def _play(
    task: Task, arm: Arm, instance: Instance, data: Dataset, rules: ContestRules, simulate: Simulate
) -> list[Row]:
    condition = Condition(noise=NOISE)
    bench = SharedRollouts(task, instance, NOISE, rules.seed, simulate)
    return play(task, arm, condition, instance, entrants([IMPROVER]), data, rules, bench)


def _cost(row: Row) -> float:
    return float("nan") if row["cost"] is None else float(row["cost"])


def _compared(
    number: int,
    truth: Array,
    found: PhysicsEstimate,
    seconds: float,
    costs: tuple[float, float, float],
) -> Recovery:
    pairs = list(zip(found.parameters, truth.tolist(), strict=True))
    return Recovery(
        number=number,
        truth=truth.tolist(),
        estimate=[p.value for p, _ in pairs],
        deviation=[p.deviation for p, _ in pairs],
        known=[p.known for p, _ in pairs],
        covered=[p.interval[0] <= true <= p.interval[1] for p, true in pairs],
        rollouts=found.rollouts,
        seconds=round(seconds, 2),
        first=costs[0],
        shipped=costs[1],
        built=costs[2],
    )


def table(task: Task, found: Sequence[Recovery]) -> list[str]:
    """Return the figures of a task as lines of text."""
    space = task.physics_space
    errors = np.abs([np.subtract(r.estimate, r.truth) for r in found])
    shares = 100.0 * errors / (space.upper - space.lower)
    lines = [
        f"| {task.name} ({len(found)} draws) | median error | share of range: median | worst "
        "| called known | interval holds it |",
        "|---|---|---|---|---|---|",
    ]
    for i, p in enumerate(space.parameters):
        known = sum(r.known[i] for r in found)
        covered = sum(r.covered[i] for r in found)
        lines.append(
            f"| {p.name} | {p.text(float(np.median(errors[:, i])), 2)} "
            f"| {np.median(shares[:, i]):.2g} % "
            f"| {shares[:, i].max():.2g} % | {known} | {covered} |"
        )
    for name in ("first", "shipped", "built"):
        costs = 1e3 * np.array([getattr(r, name) for r in found])
        lines.append(
            f"{name}: mean {np.nanmean(costs):.1f} mm, median {np.nanmedian(costs):.1f} mm, "
            f"worst {np.nanmax(costs):.1f} mm"
        )
    better = sum(r.built < r.shipped for r in found)
    seconds = np.median([r.seconds for r in found])
    lines.append(f"built is better than shipped in {better} of {len(found)}")
    lines.append(f"calibration: median {seconds:.1f} s, {found[0].rollouts} rollouts in the first")
    return lines


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the task, the size of the benchmark, and its instances."""
    parser.add_argument("task")
    parser.add_argument("--instances", type=whole(1, 100_000), default=10)
    parser.add_argument(
        "--trials", type=whole(1, 1000), default=5, help="recorded, first attempt included"
    )
    parser.add_argument(
        "--examples", type=whole(1, 100_000), default=EXAMPLES, help="of the set that is built"
    )
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument("--draws", choices=tuple(STREAMS), default="test", help="train: for tuning")


def run(args: argparse.Namespace) -> int:
    """Print a table; the rows are the instances."""
    task, found = TASKS.get(args.task), list[Recovery]()
    with kept(args.json, list[dict[str, Any]]()) as rows:
        for number in range(args.instances):
            with one_thread():
                how = (args.draws, args.seed, number, args.trials, args.examples)
                found.append(recover(task, ARMS.get(task.arm), *how))
            rows.append(asdict(found[-1]))
            print(f"{number + 1} of {args.instances}", file=sys.stderr, flush=True)
    print("\n".join(table(task, found)))
    return 0


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
