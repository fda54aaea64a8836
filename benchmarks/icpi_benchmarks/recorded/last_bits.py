"""Differences of the same runs on two kinds of processor: what the last bits of numbers become.

    python -m icpi_benchmarks.recorded.last_bits --instances 20

Child processes play the same runs (task, instance, seed) as this processor and as an old one, for
which numpy and OpenBLAS choose other kernels.  Printed per task and step, as shares of theta's
half-range: how far the proposals after the same trials differ (the search alone), and how far
those of whole runs do, in which each has the trials that its own simulator made.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from icpi_benchmarks.instances import Instance, draw_instance, proposal_rng
from icpi_benchmarks.program import run_program
from icpi_ros.cli.arguments import whole
from icpi_ros.core.errors import IcpiError
from icpi_ros.core.types import Array, ObjectTrajectory, Outcome
from icpi_ros.improvers.base import Context, Improver
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.learn.dataset.dataset import Dataset, shipped
from icpi_ros.robots import ARMS
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

OLDER = {
    "NPY_DISABLE_CPU_FEATURES": "X86_V3 X86_V4 AVX512_ICL AVX512_SPR",
    "OPENBLAS_CORETYPE": "Nehalem",
}
"""Environment under which numpy 2.4 and OpenBLAS compute as on a processor without AVX."""
DEFAULT_TASKS = "slide,slide-gc,roll-gc,rope-swing,rope-swing-gc,toss-gc,hit-gc,edge-gc,throw-gc"
SEED = 0
Run = list[dict[str, Any]]
"""Trials of a run: theta, error, cost and the object's path, as JSON has them."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the program's own arguments."""
    parser.add_argument("--tasks", default=DEFAULT_TASKS, metavar="T,..")
    parser.add_argument("--instances", type=whole(1, 1000), default=10, help="per task (10)")
    parser.add_argument("--trials", type=whole(2, 20), default=6, help="per run (6)")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)


def run(args: argparse.Namespace) -> int:
    """Compare the runs of all tasks, print a table; exit code 0."""
    if args.child:
        json.dump(_answer(json.load(sys.stdin)), sys.stdout)
        return 0
    rows = []
    print("task           step   same trials: median, largest   whole runs: median, largest")
    for name in args.tasks.split(","):
        rows += compare(name, args.instances, args.trials)
        for row in rows[1 - args.trials :]:
            print(text(row))
    if args.json:
        args.json.write(rows)
    return 0


def text(row: dict[str, Any]) -> str:
    """Return one line of the table."""
    figures = [row[f"{kind}_{size}"] for kind in ("same", "whole") for size in ("median", "max")]
    return f"{row['task']:<14} {row['step']:>4}   " + "   ".join(f"{x:12.1e}" for x in figures)


def compare(name: str, instances: int, trials: int) -> list[dict[str, Any]]:
    """Return one row per step: differences of proposals as shares of the half-range."""
    task = TASKS.get(name)
    asked = {"task": name, "instances": instances, "trials": trials}
    here = _child(asked, {})
    older = _child(asked, OLDER)
    proposed = {label: _child(asked | {"runs": here}, env) for label, env in SETTINGS}
    rows = []
    for step in range(1, trials):
        same = [
            largest_gap(task, one[step - 1], other[step - 1])
            for one, other in zip(proposed["here"], proposed["older"], strict=True)
        ]
        own = [
            largest_gap(task, one[step]["theta"], other[step]["theta"])
            for one, other in zip(here, older, strict=True)
        ]
        rows.append({"task": name, "step": step, **_sizes("same", same), **_sizes("whole", own)})
    return rows


SETTINGS: tuple[tuple[str, dict[str, str]], ...] = (("here", {}), ("older", OLDER))


def _sizes(kind: str, gaps: Sequence[float]) -> dict[str, float]:
    return {f"{kind}_median": float(np.median(gaps)), f"{kind}_max": float(np.max(gaps))}


def largest_gap(task: Task, one: Sequence[float], other: Sequence[float]) -> float:
    """Return the largest difference of two thetas in any parameter, a share of its half-range."""
    scaled = task.space.normalise(np.array([one, other]))
    return float(np.abs(scaled[0] - scaled[1]).max())


def _child(request: dict[str, Any], environment: dict[str, str]) -> Any:
    """Return the answer of a process of its own under an environment."""
    command = [sys.executable, "-m", "icpi_benchmarks.recorded.last_bits", "--child"]
    one = {"OPENBLAS_NUM_THREADS": "1", "ICPI_CACHE": os.devnull}  # no fit of another processor
    done = subprocess.run(
        command,
        input=json.dumps(request),
        env=os.environ | one | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise IcpiError(f"the child process of {request['task']} {ending(done)}")
    return json.loads(done.stdout)


def ending(done: subprocess.CompletedProcess[str]) -> str:
    """Return in one line how a process failed: its exit code or its signal, and its last words."""
    code = done.returncode
    how = f"was killed by signal {-code}" if code < 0 else f"failed with exit code {code}"
    said = done.stderr.strip().splitlines()
    return f"{how}: {said[-1] if said else 'it wrote nothing to stderr'}"


def _answer(request: dict[str, Any]) -> list[Any]:
    """Return the runs of a task, or with ``runs`` what is proposed after each of their trials."""
    task = TASKS.get(request["task"])
    data = shipped(task)
    found: list[Any] = []
    for number in range(request["instances"]):
        instance = draw_instance(task, "train", SEED, number)
        if "runs" in request:
            found.append(proposals(task, data, instance, request["runs"][number]))
        else:
            found.append(played(task, data, instance, request["trials"]))
    return found


def proposals(task: Task, data: Dataset, instance: Instance, run: Run) -> list[list[float]]:
    """Return the thetas proposed after the first, the first two ... trials of a run."""
    improver = _improver(task, data, instance)
    history = [_outcome(trial) for trial in run]
    return [
        _proposed(improver, history[:step], instance, step).tolist() for step in range(1, len(run))
    ]


def played(task: Task, data: Dataset, instance: Instance, trials: int) -> Run:
    """Return a run in simulation."""
    improver, arm = _improver(task, data, instance), ARMS.get(task.arm)
    found: Run = []
    for step in range(trials):
        theta = instance.theta
        if step:
            theta = _proposed(improver, [_outcome(trial) for trial in found], instance, step)
        path = rollout(task, arm, instance.physics, theta[np.newaxis]).trajectories[0]
        error = task.error(path, instance.goal)
        trial = {"theta": theta.tolist(), "error": error.tolist(), "cost": task.cost(error)}
        found.append(trial | {"path": [path.times.tolist(), path.positions.tolist()]})
    return found


def _improver(task: Task, data: Dataset, instance: Instance) -> Improver:
    return Embedded(Context(task.space, instance.goal, task.cost_mask, data))


def _proposed(
    improver: Improver, history: Sequence[Outcome], instance: Instance, step: int
) -> Array:
    rng = proposal_rng(SEED, instance.number, step, improver.name)
    return improver.context.space.project(improver.propose(history, rng).theta)[0]


def _outcome(trial: dict[str, Any]) -> Outcome:
    path = ObjectTrajectory(*(np.array(part) for part in trial["path"]))
    return Outcome(np.array(trial["theta"]), np.array(trial["error"]), float(trial["cost"]), path)


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
