"""Tuning of the baselines on training draws, which no benchmark uses.

``python -m icpi_benchmarks.contest.tuning NAME`` prints, for every candidate setting of one
improver, the mean best cost [mm] after each adjustment on each task, and the geometric mean over
the tasks.  docs/baselines.md has the chosen ones.
"""

from __future__ import annotations

import argparse
import itertools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_benchmarks.contest.cell import TaskCells
from icpi_benchmarks.contest.conditions import Condition
from icpi_benchmarks.contest.entrants import Entrant
from icpi_benchmarks.contest.oracles import Oracle, RidgeOracle
from icpi_benchmarks.contest.play import ContestRules
from icpi_benchmarks.program import run_program
from icpi_ros.cli.arguments import whole
from icpi_ros.cli.json_output import kept
from icpi_ros.core.types import Array
from icpi_ros.improvers.base import Improver
from icpi_ros.improvers.bayesian import Bayesian, BayesianWarm
from icpi_ros.improvers.broyden import Broyden
from icpi_ros.improvers.cma import Cma, CmaWarm
from icpi_ros.improvers.gauss_newton import GaussNewton
from icpi_ros.improvers.knn import Knn, KnnCopy, KnnHindsight
from icpi_ros.improvers.ridge import Ridge
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.dataset import shipped
from icpi_ros.robots import ARMS
from icpi_ros.tasks import TASKS

Grid = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Study:
    """Options of one improver that are varied, with their values.

    Attributes:
        kind: its class.
        grid: values by name of the option; all combinations.
        informed: True for an oracle.
    """

    kind: type[Improver]
    grid: Grid
    informed: bool = False

    def entrants(self, one_by_one: bool) -> tuple[Entrant, ...]:
        """Return one entrant per candidate.

        Args:
            one_by_one: vary one option at a time from what is in the code, instead of all
                combinations.
        """
        names, now = list(self.grid), self.kind.chosen({})
        if one_by_one:
            changes: list[dict[str, Any]] = [{}]
            changes += [{n: v} for n in names for v in self.grid[n] if v != getattr(now, n)]
        else:
            combinations = itertools.product(*self.grid.values())
            changes = [dict(zip(names, values, strict=True)) for values in combinations]
        return tuple(self._entrant(change) for change in changes)

    def _entrant(self, change: Mapping[str, Any]) -> Entrant:
        label = " ".join(f"{name}={value}" for name, value in change.items()) or "as it is"
        return Entrant(label, self.kind, change, self.informed)


def studies() -> dict[str, Study]:
    """Return the studies by name of the improver."""
    knn = {"k": (1, 2, 3, 5, 10, 20), "power": (0.0, 2.0, 4.0), "from_best": (False, True)}
    ridge = {
        "k": (5, 10, 15, 20, 40),
        "penalty": (0.001, 0.003, 0.01, 0.03, 0.1),
        "bandwidth": (0.35, 0.5, 1.0),
        "from_best": (False, True),
    }
    newton = {
        "ridge_first": (True, False),
        "executions": (50, 100, 200, 400),
        "near_theta": (0.2, 0.3, 0.4, 0.6),
        "near_error": (0.15, 0.2, 0.3, 0.4, 0.6),
        "pair_softening": (0.1, 0.2, 0.4),
        "own_weight": (2.0, 5.0, 15.0, 30.0),
        "own_softening": (0.02, 0.05, 0.1),
        "own_reach": (0.3, 0.5, 1.0, 1000.0),
        "penalty": (0.01, 0.03, 0.1, 0.3),
        "damping": (0.03, 0.1, 0.2, 0.3, 0.4),
        "shrink": (0.5, 1.0),
        "doubt": (0.03, 0.1, 0.3, 1.0),
    }
    broyden = {
        "softening": (0.001, 0.01, 0.05, 0.1),
        "damping": (0.03, 0.1, 0.2, 0.3, 0.4),
    }
    cold = {
        "logarithm": (True, False),
        "length": (0.3, 0.5, 1.0),
        "fitted": (False, True),
        "initial": (0, 1, 2, 3),
    }
    warm = {
        "logarithm": (True, False),
        "length": (0.1, 0.2, 0.3, 0.5),
        "fitted": (False, True),
        "draws": (1, 2, 3, 5, 8),
        "prior_noise": (0.01, 0.03, 0.1, 0.3),
        "noise": (1e-6, 1e-4, 1e-2),
    }
    cma = {
        "sigma": (0.05, 0.1, 0.2, 0.3, 0.5, 0.8),
        "population": (4, 5, 6),
        "from_best": (False, True),
    }
    oracle = {
        "offset": (0.003, 0.01, 0.03, 0.06, 0.1),
        "damping": (0.003, 0.03, 0.1, 0.3),
        "shrink": (0.5, 1.0),
    }
    return {
        "knn": Study(Knn, knn),
        "knn-hindsight": Study(KnnHindsight, knn),
        "knn-copy": Study(KnnCopy, {"from_best": (False, True)}),
        "ridge": Study(Ridge, ridge),
        "gauss-newton": Study(GaussNewton, newton),
        "broyden": Study(Broyden, broyden),
        "bo": Study(Bayesian, cold),
        "bo-warm": Study(BayesianWarm, warm),
        "cma": Study(Cma, cma),
        "cma-warm": Study(CmaWarm, cma),
        "oracle": Study(Oracle, oracle, informed=True),
        "ridge-oracle": Study(RidgeOracle, oracle, informed=True),
    }


def measure(
    task: str, entrants: tuple[Entrant, ...], instances: int, trials: int, seed: int, processes: int
) -> dict[str, tuple[Array, float]]:
    """Return the mean best cost ``(trials,)`` [m] and the mean seconds per proposal, by label.

    A trial that failed counts with the best cost before it, as in the benchmark.
    """
    chosen = TASKS.get(task)
    rules = ContestRules(seed, trials, time_limit=60.0)
    condition, data = Condition(draws="train"), shipped(chosen)
    arm = ARMS.get(chosen.arm)
    work = TaskCells(chosen, arm, (condition,), instances, entrants, (data,), rules)
    costs = {e.label: np.zeros(trials) for e in entrants}
    seconds = dict.fromkeys(costs, 0.0)
    for _, cell in Workers(processes).run(work, range(instances)):
        for row in cell.rows:
            if row["best_cost"] is None:  # the first attempt of this instance failed
                continue
            costs[row["improver"]][row["trial"]] += row["best_cost"] / instances
            seconds[row["improver"]] += row["seconds"] / (instances * max(trials - 1, 1))
    return {label: (costs[label], seconds[label]) for label in costs}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the improver, the size of the study, and the worker processes."""
    parser.add_argument("improver", choices=studies())
    parser.add_argument("--instances", type=whole(1, 100_000), default=32, help="per task")
    parser.add_argument("--trials", type=whole(1, 1000), default=6)
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument("--workers", type=whole(1, 256), default=1, help="processes")
    parser.add_argument("--tasks", default=",".join(TASKS.built_in))
    parser.add_argument("--all", action="store_true", help="all combinations, not one by one")


def run(args: argparse.Namespace) -> int:
    """Print one table per task and the geometric means."""
    entrants = studies()[args.improver].entrants(one_by_one=not args.all)
    width = max(len(entrant.label) for entrant in entrants)
    logs = []
    with kept(args.json, list[dict[str, Any]]()) as rows:
        for task in args.tasks.split(","):
            found = measure(task, entrants, args.instances, args.trials, args.seed, args.workers)
            print(f"{task}, {args.instances} training draws: mean best cost [mm] by trial")
            for label, (costs, seconds) in found.items():
                print(f"{label:<{width}} {_numbers(costs)}  {1e3 * seconds:8.2f} ms", flush=True)
                rows.append({"task": task, "options": label, "cost": costs, "seconds": seconds})
            logs.append({label: np.log(costs) for label, (costs, _) in found.items()})
    print("geometric mean over the tasks")
    for label in logs[0]:
        print(f"{label:<{width}} {_numbers(np.exp(np.mean([log[label] for log in logs], axis=0)))}")
    return 0


def _numbers(costs: Array) -> str:
    return " ".join(f"{1e3 * cost:7.2f}" for cost in costs)


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
