"""Offline ranking of improvers against the simulator's truth.

    python -m icpi_benchmarks.recorded.ranking --task slide-gc --bags 6

Each bag holds one recorded run on one draw of hidden physics, made by one improver in turn.  All
improvers are ranked offline, as ``icpi replay`` does; then every proposal that the ranking rests
on is rolled out under the true physics.  Printed per bag: the rank correlation (Kendall's tau-b,
Spearman's rho), and the share of estimated costs whose true cost lies inside the 90 % interval.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from icpi_benchmarks.program import run_program
from icpi_ros.bags.trials import RecordedPath, RecordedTrial, WindowState
from icpi_ros.cli.arguments import whole
from icpi_ros.core.types import Array, ObjectTrajectory, Trial
from icpi_ros.evaluate.evaluated_runs import EvaluatedImprover, EvaluatedRun, evaluate_runs
from icpi_ros.evaluate.outcomes import ESTIMATED, OutcomeEstimate
from icpi_ros.evaluate.recorded_runs import RecordedRun, RecordedRunSettings
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.learn.building.workers import Workers
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm
from icpi_ros.runs.run import Run
from icpi_ros.sim.rollout import rollout
from icpi_ros.sim.world import World
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

IMPROVERS = (
    "embedded", "gauss-newton", "broyden", "ridge-hindsight", "ridge", "knn", "knn-copy",
    "bo-warm", "cma-warm", "random",
)  # fmt: skip
RECORDED_BY = ("random", "ridge", "embedded")
STREAM = 0x2A4B
"""Last entropy word of this experiment's draws."""

Execute = Callable[[Array], list[ObjectTrajectory]]


@dataclass(frozen=True)
class BagResult:
    """Result of one bag: offline and true mean cost [m] by improver, and the intervals' coverage.

    Attributes:
        recorded_by: improver of the recorded run.
        offline, true: ``(i,)`` in the order of :data:`IMPROVERS`.
        inside: share of estimates whose true cost lies in their interval.
        estimates: how many.
    """

    recorded_by: str
    offline: Array
    true: Array
    inside: float
    estimates: int

    def correlation(self) -> tuple[float, float]:
        """Return Kendall's tau-b and Spearman's rho, -1 to 1."""
        from scipy.stats import kendalltau, spearmanr

        tau = kendalltau(self.offline, self.true).statistic
        return float(tau), float(spearmanr(self.offline, self.true).statistic)


@dataclass(frozen=True)
class BagWork:
    """Task, arm and numbers that bags are made with; called with the number of a bag."""

    task: str
    arm: Arm
    trials: int
    pairs: int
    seed: int

    def __call__(self, number: int) -> BagResult:
        """Make and judge one bag."""
        task = TASKS.get(self.task)
        rng = np.random.default_rng([self.seed, number, STREAM])
        physics = task.sample_physics(rng)
        arm, world = self.arm, World(task, self.arm, physics)

        def execute(thetas: Array) -> list[ObjectTrajectory]:
            return rollout(task, arm, physics, thetas, world=world).trajectories

        recorded_by = RECORDED_BY[number % len(RECORDED_BY)]
        run = _record(task, recorded_by, task.sample_goal(rng), self.trials, number, execute)
        request = EvaluationRequest(improvers=IMPROVERS, pairs=self.pairs)
        (evaluated,) = evaluate_runs([run], {}, request)
        return _judge(evaluated, recorded_by, execute)


def _record(
    task: Task, improver: str, goal: Array, trials: int, seed: int, execute: Execute
) -> RecordedRun:
    """Carry out a run and return it as if a bag had been read."""
    run = Run(task, improver=improver, goal=goal, trials=trials, seed=seed)
    while not run.finished:
        run.tell(execute(run.ask().theta[np.newaxis])[0])
    found = tuple(_recorded(trial) for trial in run.trials)
    return RecordedRun("run", task, improver, goal, found, RecordedRunSettings(seed, "given"))


def _recorded(trial: Trial) -> RecordedTrial:
    assert trial.trajectory is not None
    seen = trial.trajectory
    return RecordedTrial(
        run_id="run",
        number=trial.number,
        trial_id=f"run/{trial.number}",
        task=trial.origin.task,
        state=WindowState.CLOSED,
        path=RecordedPath(seen, seen.coverage, float("nan"), True, "", True),
        trial=trial,
    )


def _judge(one: EvaluatedRun, recorded_by: str, execute: Execute) -> BagResult:
    """Roll out every proposal and compare."""
    offline, true, inside = [], [], []
    for name in IMPROVERS:
        answer = one.answers[name]
        estimates = [*answer.estimates, *answer.solved]
        costs = _true_costs(one, answer, execute)
        offline.append(np.mean([estimate.cost for estimate in estimates]))
        true.append(costs.mean())
        inside += _inside(estimates, costs)
    return BagResult(
        recorded_by, np.array(offline), np.array(true), float(np.mean(inside)), len(inside)
    )


def _true_costs(one: EvaluatedRun, answer: EvaluatedImprover, execute: Execute) -> Array:
    task, goal = one.run.task, one.run.goal
    thetas = [*(proposed.theta for proposed in answer.proposed), *answer.hindsight]
    goals = [goal] * len(answer.proposed) + [instance.goal for instance in one.instances]
    paths = execute(np.array(thetas))
    return np.array([task.cost(task.error(p, g)) for p, g in zip(paths, goals, strict=True)])


def _inside(estimates: Sequence[OutcomeEstimate], costs: Array) -> list[bool]:
    return [
        estimate.low <= cost <= estimate.high
        for estimate, cost in zip(estimates, costs.tolist(), strict=True)
        if estimate.kind == ESTIMATED
    ]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the task, the size of the benchmark, and the worker processes."""
    parser.add_argument("--task", default="slide-gc")
    parser.add_argument("--bags", type=whole(1, 10_000), default=6)
    parser.add_argument("--trials", type=whole(2, 1000), default=8, help="per bag")
    parser.add_argument("--pairs", type=whole(0, 10_000), default=12)
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument("--workers", type=whole(1, 256), default=1, help="processes")


def run(args: argparse.Namespace) -> int:
    """Print the table; the rows are the bags."""
    arm = ARMS.get(TASKS.get(args.task).arm)
    work = BagWork(args.task, arm, args.trials, args.pairs, args.seed)
    by_number = dict(Workers(args.workers).run(work, range(args.bags)))
    found = [by_number[number] for number in range(args.bags)]
    _show(args.task, found)
    if args.json:
        args.json.write([asdict(one) | {"improvers": IMPROVERS} for one in found])
    return 0


def _show(task: str, found: Sequence[BagResult]) -> None:
    print(f"{task}: offline ranking of {len(IMPROVERS)} improvers against rollouts")
    print("bag  recorded by    tau    rho  inside 90 %  best offline  best in truth")
    for number, one in enumerate(found):
        tau, rho = one.correlation()
        best = [IMPROVERS[int(np.argmin(costs))] for costs in (one.offline, one.true)]
        print(
            f"{number:>3}  {one.recorded_by:<11} {tau:>6.2f} {rho:>6.2f}  "
            f"{one.inside:>5.0%} of {one.estimates:<4} {best[0]:<13} {best[1]}"
        )
    taus, rhos = zip(*(one.correlation() for one in found), strict=True)
    print(f"mean tau {np.mean(taus):.2f}, mean rho {np.mean(rhos):.2f}")
    print("mean cost of the next trial [mm]: offline, true, by improver")
    for n, name in enumerate(IMPROVERS):
        offline, true = (1e3 * np.mean([costs[n] for costs in column]) for column in _both(found))
        print(f"  {name:<16} {offline:>8.2f} {true:>8.2f}")


def _both(found: Sequence[BagResult]) -> tuple[list[Array], list[Array]]:
    return [one.offline for one in found], [one.true for one in found]


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
