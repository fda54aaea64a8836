"""List the tasks, describe one, or make one from a demonstrated motion."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icpi_ros.cli.arguments import checked_picture, chosen_arm
from icpi_ros.cli.json_output import kept
from icpi_ros.cli.progress import progress_bar
from icpi_ros.core.space import ParameterSpace
from icpi_ros.evaluate.survey import SurveyPlan, landscape, survey, survey_draws
from icpi_ros.report.task_picture import save_landscape
from icpi_ros.robots.base import Arm
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

PICTURED = 2
"""Physics draws in the picture."""


def describe_task(args: argparse.Namespace) -> int:
    """Print what a task's parameters, goals, physics, error and cost are, and what it measures."""
    task = TASKS.get(args.task)
    arm = chosen_arm(args.arm, task)
    picture = checked_picture(args.picture) if args.picture else None
    plan = SurveyPlan(draws=args.draws, seed=args.seed, threads=len(os.sched_getaffinity(0)))
    _print_definition(task, arm)
    with kept(args.json, task.definition() | {"arm": arm.name}) as content:
        if not args.quick and task.scene is not None:
            content["measured"] = _measure(task, arm, plan)
        if picture:
            _draw(task, arm, plan, picture)
    return 0


def _print_definition(task: Task, arm: Arm) -> None:
    print(f"{task.name}: {task.summary}")
    own = "" if arm.name == task.arm else f" (the task is made for {task.arm})"
    print(f"arm: {arm.name}{own}")
    _print_space("theta", task.space)
    _print_space("goal", task.goal_space)
    varies = "goals are drawn from this region" if task.goal_varies else "fixed unless asked for"
    print(f"  default {', '.join(f'{v:g}' for v in task.default_goal)}; {varies}")
    if task.scene is None:
        print("no scene: it is not simulated, unless in the world of another task")
    else:
        _print_space("hidden physics (simulation only)", task.physics_space)
        _print_space(
            "shifted physics, to measure what happens outside the data", task.shifted_space
        )
    weights = zip(task.error_names, task.cost_mask, strict=True)
    counted = [n if m == 1 else f"{m:g} {n}" for n, m in weights if m > 0]
    print(f"error: {', '.join(task.error_names)}")
    print(f"raw form: {', '.join(task.raw_names)}")
    print(f"cost [m]: Euclidean norm of {', '.join(counted)}")


def _print_space(label: str, space: ParameterSpace) -> None:
    print(f"{label}:")
    for p in space.parameters:
        print(f"  {p.name:10s} {p.lower:g} to {p.upper:g} {p.shown_unit:4s} {p.description}")


def _measure(task: Task, arm: Arm, plan: SurveyPlan) -> dict[str, Any]:
    """Print the figures of a survey and return them, costs in [m]."""
    with progress_bar(plan.draws, "draw", leave=False) as bar:

        def advance() -> None:
            bar.update()

        found = survey(task, arm, plan, advance)
    goals = " and goals" if task.goal_varies else ""
    print(f"measured over {plan.draws} draws of physics{goals}, seed {plan.seed} [mm]:")
    _print_row("best reachable cost", found.best_cost, "median", "max")
    if plan.draws > 1:
        _print_row("cost of another draw's best theta", found.other_cost, "mean")
    _print_row("first-attempt cost of a random theta", found.first_cost, "mean")
    _print_row("fine-scale noise, rms on a line", found.noise, "median", "max")
    return {"draws": plan.draws, "seed": plan.seed, **vars(found)}


def _print_row(label: str, values: NDArray[np.float64], *kinds: str) -> None:
    found = {"median": np.median(values), "max": np.max(values), "mean": np.mean(values)}
    texts = (f"{kind} {_millimetres(float(found[kind]))}" for kind in kinds)
    print(f"  {label:36s} {', '.join(texts)}")


def _millimetres(metres: float) -> str:
    return f"{1e3 * metres:.2f}" if metres < 0.01 else f"{1e3 * metres:.0f}"


def _draw(task: Task, arm: Arm, plan: SurveyPlan, path: Path) -> None:
    """Draw the landscapes of the survey's first draws."""
    physics, _ = survey_draws(task, plan)
    with progress_bar(PICTURED, "landscape", leave=False) as bar:

        def advance() -> None:
            bar.update()

        shown = landscape(task, arm, physics[:PICTURED], plan, on_draw=advance)
    save_landscape(path, task, shown)
    print(f"picture: {path.absolute()}")
