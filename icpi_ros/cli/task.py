"""List the tasks, or describe one."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from icpi_ros.space import ParameterSpace


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``list`` and ``describe``."""
    verbs = parser.add_subparsers(required=True, metavar="list|describe")
    verbs.add_parser("list", help="names and one line each").set_defaults(run=list_tasks)
    describe = verbs.add_parser("describe", help="parameters, goals, hidden physics, cost")
    describe.add_argument("name", help="task, see `icpi task list`")
    describe.set_defaults(run=describe_task)


def list_tasks(_args: argparse.Namespace) -> int:
    """Print every task with its one-line summary."""
    from icpi_ros.tasks import TASKS

    for name in TASKS:
        print(f"{name:16s} {TASKS.get(name).summary}")
    return 0


def describe_task(args: argparse.Namespace) -> int:
    """Print what a task's parameters, goals, physics, error and cost are."""
    from icpi_ros.tasks import TASKS

    task = TASKS.get(args.name)
    print(f"{task.name}: {task.summary}")
    _print_space("theta", task.space)
    _print_space("goal", task.goal_space)
    print(f"  default goal {', '.join(f'{v:g}' for v in task.default_goal)}")
    _print_space("hidden physics (simulation only)", task.physics_space)
    counted = [n for n, m in zip(task.error_names, task.cost_mask, strict=True) if m > 0]
    print(f"error: {', '.join(task.error_names)}")
    print(f"cost [m]: Euclidean norm of {', '.join(counted)}")
    return 0


def _print_space(label: str, space: ParameterSpace) -> None:
    print(f"{label}:")
    for p in space.parameters:
        print(f"  {p.name:10s} {p.lower:g} to {p.upper:g} {p.unit:4s} {p.description}")
