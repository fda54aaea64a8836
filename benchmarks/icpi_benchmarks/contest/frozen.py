"""Frozen benchmarks: what the results of different people must have in common, in one file each.

`python -m icpi_benchmarks.contest.frozen v1` prints the file as this checkout would write it: for
a new benchmark, never to make an old one fit.
"""

from __future__ import annotations

import argparse
import functools
import hashlib
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from icpi_benchmarks.contest.conditions import PRESETS
from icpi_benchmarks.instances import draw_instance
from icpi_benchmarks.program import run_program
from icpi_ros.core.errors import UsageError
from icpi_ros.core.yaml_files import FileKind, read_content, read_yaml
from icpi_ros.learn.dataset.dataset import fingerprint, paths_fingerprint
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import simulated_feasibility

if TYPE_CHECKING:
    from icpi_benchmarks.contest.plan import ContestPlan

KIND = FileKind(name="the frozen benchmark ")
SIZES = ("seed", "instances", "trials", "threshold_m", "draws", "noise_m")
"""What all tasks have in common."""
TIME_LIMIT = 30.0
"""Time limit of a proposal in every frozen benchmark [s]."""


def path_of(name: str) -> Path:
    """Return the file of a frozen benchmark."""
    return Path(__file__).resolve().parent / f"{name}.yaml"


@functools.cache
def frozen(name: str) -> Mapping[str, Any]:
    """Return the content of a frozen benchmark's file.

    Raises:
        UsageError: it cannot be read.
    """
    found: Mapping[str, Any] = read_yaml(path_of(name), KIND)
    return found


def identity(name: str) -> dict[str, str]:
    """Return name and hash of a frozen benchmark, as results have it."""
    content = read_content(path_of(name), KIND)
    return {"name": name, "hash": hashlib.sha256(content).hexdigest()[:16]}


def check(plan: ContestPlan) -> None:
    """Refuse a plan that says it is a frozen benchmark and is not.

    Some of its tasks, and any improvers, are allowed.

    Raises:
        UsageError: in one line, what differs.
    """
    name = PRESETS[plan.preset].frozen if plan.preset in PRESETS else ""
    if not name or not plan.has_command:
        return
    different = list(_differences(plan, frozen(name)))
    if different:
        raise UsageError(
            f"benchmark {name} is frozen: {'; '.join(different)}: run it unchanged with the "
            f"version of icpi_ros that has it, or choose --preset main"
        )


def content(plan: ContestPlan, name: str) -> dict[str, Any]:
    """Return what the file of a frozen benchmark holds for a plan."""
    tasks = {task.name: _task_content(plan, task) for task in plan.tasks}
    return {"benchmark": name, **_sizes(plan), "tasks": tasks}


# --- inside -------------------------------------------------------------------------------------


def _differences(plan: ContestPlan, wanted: Mapping[str, Any]) -> Iterator[str]:
    sizes = _sizes(plan)
    for key in SIZES:
        if sizes[key] != wanted[key]:
            yield f"{key} is {sizes[key]}, not {wanted[key]}"
    if plan.time_limit != TIME_LIMIT:
        yield f"time_limit is {plan.time_limit:g} s, not {TIME_LIMIT:g} s"
    if any(sizes[key] != wanted[key] for key in SIZES):
        return  # all instances differ then
    for task in plan.tasks:
        known = wanted["tasks"].get(task.name)
        if known is None:
            yield f"task {task.name} is not part of it (allowed: {', '.join(wanted['tasks'])})"
            continue
        found = _task_content(plan, task)
        for key, value in known.items():
            if found[key] != value:
                yield f"{key.replace('_', ' ')} of {task.name} is {found[key]}, not {value}"


def _sizes(plan: ContestPlan) -> dict[str, Any]:
    (condition,) = plan.conditions
    return {
        "seed": plan.seed,
        "instances": plan.instances,
        "trials": plan.trials,
        "threshold_m": plan.threshold,
        "draws": condition.draws,
        "noise_m": condition.noise,
    }


def _task_content(plan: ContestPlan, task: Task) -> dict[str, Any]:
    arm, data = plan.arm_of(task), plan.examples(task)
    return {
        "revision": task.revision,
        "definition": task.definition_hash(),
        "arm": str(ArmId.of(arm)),
        "data_set": fingerprint(data),
        "paths_fingerprint": paths_fingerprint(data),
        "instances": _instances(plan, task),
    }


def _instances(plan: ContestPlan, task: Task) -> str:
    """Return a hash of physics, goal and first attempt of every instance, to nine digits."""
    why_not = simulated_feasibility(task, plan.arm_of(task))
    digest = hashlib.sha256()
    for number in range(plan.instances):
        one = draw_instance(task, plan.conditions[0].draws, plan.seed, number, why_not)
        values = [*one.physics, *one.goal, *one.theta]
        digest.update(" ".join(f"{value:.9g}" for value in values).encode())
    return digest.hexdigest()[:16]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the name of the benchmark."""
    names = [name for name, chosen in PRESETS.items() if chosen.frozen]
    parser.add_argument("name", choices=names)


def run(args: argparse.Namespace) -> int:
    """Print the file of a frozen benchmark; one row, its content."""
    from icpi_benchmarks.contest.plan import ContestPlan

    name: str = args.name
    chosen = PRESETS[name]
    tasks = tuple(TASKS.get(task) for task in TASKS.built_in)
    plan = ContestPlan(
        tasks, chosen.improvers, instances=chosen.instances, trials=chosen.trials, preset=name
    )
    print(f"# Benchmark {name}: frozen. docs/leaderboard.md; contest/frozen.py checks it.")
    found = content(plan, name)
    print(yaml.safe_dump(found, sort_keys=False), end="")
    if args.json:
        args.json.write([found])
    return 0


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
