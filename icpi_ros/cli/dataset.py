"""Build a data set of examples in simulation, make one from stored trials, or show one."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from icpi_ros.cli.arguments import (
    checked_output,
    checked_picture,
    chosen_arm,
    opened_store,
)
from icpi_ros.cli.bags import given_poses, open_bag, refuse_inside
from icpi_ros.cli.progress import progress_bar
from icpi_ros.core.errors import DatasetError, Kind, UsageError, invalid
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.text import printable
from icpi_ros.core.units import Length
from icpi_ros.evaluate.dataset_from_bags import import_bags
from icpi_ros.evaluate.dataset_from_runs import ImportedDataset, import_runs
from icpi_ros.evaluate.physics import physics_file
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.learn.building.build import BuildProgress, build_file, kept
from icpi_ros.learn.building.plan import DatasetPlan
from icpi_ros.learn.building.retrace import retraced
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.dataset import (
    Dataset,
    check_arm,
    count_paths,
    coverage,
    fingerprint,
    load,
    paths_fingerprint,
    save,
    shipped,
    solved_share,
)
from icpi_ros.learn.dataset.joining import together
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.learn.dataset.parquet import metadata
from icpi_ros.learn.retrieval import DEFAULT_K
from icpi_ros.perception.calibration.file import load_camera
from icpi_ros.report.dataset import describe_dataset, known_text, save_dataset_picture
from icpi_ros.robots.base import Arm
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

INTERRUPTED = 130


# --- build --------------------------------------------------------------------------------------


def build_dataset(args: argparse.Namespace) -> int:
    """Build and write; the same arguments give the same file, and continue a broken build."""
    task, out = TASKS.get(args.task), checked_output(args.out)
    arm, plan = chosen_arm(args.arm, task), _plan(args, task)
    plan.check(task, DEFAULT_K if args.k is None else args.k)
    processes = args.workers or len(os.sched_getaffinity(0))
    try:
        dataset = build_shown(task, arm, plan, out, Workers(processes, args.dask), args.threads)
    except KeyboardInterrupt:
        print(f"icpi: interrupted; {kept(out, plan)}", file=sys.stderr)
        return INTERRUPTED
    if args.json:
        args.json.write(dataset_json(dataset, task, out))
    return _report(dataset, plan, task, out)


def _plan(args: argparse.Namespace, task: Task) -> DatasetPlan:
    return DatasetPlan(
        label=args.label,
        examples=args.examples,
        draws=args.draws or min(DatasetPlan.draws, args.examples),
        goals_per_draw=args.goals_per_draw,
        label_noise=args.label_noise,
        physics=args.physics,
        physics_range=_ranges("physics", args.physics_range, task.physics_space),
        goal_range=_ranges("goal", args.goal_range, task.goal_space),
        seed=args.seed,
        around=physics_file.load(args.physics_file, task) if args.physics_file else None,
    )


def _ranges(
    what: str, pairs: list[tuple[str, tuple[float, float]]], space: ParameterSpace
) -> dict[str, tuple[float, float]]:
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1:
            text = f"--{what}-range {name} is given more than once: give one range"
            raise invalid(text, f"{what}_range", name, kind=Kind.DUPLICATE)
    lengths = [p.name for p in space.parameters if p.unit == "m"]
    for name, span in pairs:
        if name in space.names and name not in lengths and any(isinstance(v, Length) for v in span):
            raise UsageError(f"--{what}-range {name}: it is no length: write numbers")
    return {name: (float(low), float(high)) for name, (low, high) in sorted(pairs)}


def build_shown(
    task: Task, arm: Arm, plan: DatasetPlan, out: Path, workers: Workers, threads: int
) -> Dataset:
    """Build a file and show how far it is."""
    with progress_bar(plan.draws, "draw") as bar:

        def advance(made: BuildProgress) -> None:
            bar.update(made.done - bar.n)
            if made.dropped:
                bar.set_postfix(dropped=made.dropped)

        return build_file(task, arm, plan, out, workers, threads, advance)


def _report(dataset: Dataset, plan: DatasetPlan, task: Task, out: Path) -> int:
    """Print the result, and what was dropped; 1 if examples are missing for it."""
    counts = dataset.provenance["counts"]
    if counts["dropped"]:
        print(
            f"icpi: {counts['dropped']} of {counts['rollouts']} rollouts were dropped: unstable, "
            "the object was not seen, or the arm cannot execute them",
            file=sys.stderr,
        )
    print(f"{len(dataset)} examples of {task.name}: {out}")
    if counts["missing"]:
        print(
            f"icpi: error: {counts['missing']} of {plan.examples} examples are missing, too many "
            "rollouts were dropped",
            file=sys.stderr,
        )
        return 1
    return 0


# --- show -----------------------------------------------------------------------------------


def show_dataset(args: argparse.Namespace) -> int:
    """Print what a data set holds, what it covers and how it was made."""
    picture = checked_picture(args.picture) if args.picture else None
    dataset, task = _opened(args.file)
    for line in describe_dataset(dataset, task, str(args.file)):
        print(printable(line))
    if args.json:
        args.json.write(dataset_json(dataset, task, args.file))
    if picture:
        save_dataset_picture(picture, dataset, task)
        print(f"picture: {picture.absolute()}")
    return 0


def _opened(file: Path) -> tuple[Dataset, Task]:
    """Return a data set and the task that it names."""
    name = metadata(file).get("task")
    if not isinstance(name, str):
        raise DatasetError(f"{file} is a Parquet file, but not a data set of icpi_ros")
    task = TASKS.get(name)
    return load(file, task), task


# --- paths ------------------------------------------------------------------------------------


def add_paths(args: argparse.Namespace) -> int:
    """Execute a built data set again and write it with the paths of its examples."""
    out = checked_output(args.out)
    dataset, task = _opened(args.file)
    arm = chosen_arm(args.arm, task)
    check_arm(dataset, ArmId.of(arm))
    with progress_bar(len(np.unique(dataset.group)), "draw") as bar:
        made = retraced(task, arm, dataset, args.threads, lambda at: bar.update(at.done - bar.n))
    save(made, out, task)
    print(f"{len(made)} examples of {task.name}: {out}")
    print(known_text(made))
    if args.json:
        args.json.write(dataset_json(made, task, out))
    return 0


# --- import ---------------------------------------------------------------------------------


def import_dataset(args: argparse.Namespace) -> int:
    """Make hindsight examples of executed trials and write them."""
    task, out = TASKS.get(args.task), checked_output(args.out)
    known = _known(args.known, task) if args.known else None
    found = _import_bags(args, task) if args.bags else _import_store(args, task)
    for line in found.left_out:
        print(f"icpi: left out: {printable(line)}", file=sys.stderr)
    dataset = found.dataset if known is None else together(known, found.dataset, task, args.mix)
    save(dataset, out, task)
    runs = len(found.dataset.provenance["runs"])
    behind = f" behind {len(known)} known ones" if known is not None else ""
    print(f"{len(found.dataset)} examples of {task.name} from {runs} runs{behind}: {out}")
    if args.json:
        args.json.write(dataset_json(dataset, task, out) | {"left_out": list(found.left_out)})
    return 0


def dataset_json(dataset: Dataset, task: Task, file: Path) -> dict[str, Any]:
    """Return what a data set is, for programs."""
    shares = coverage(dataset, task.space)
    return {
        "file": str(file),
        "task": task.name,
        "examples": len(dataset),
        "fingerprint": fingerprint(dataset),
        "paths": count_paths(dataset),
        "paths_fingerprint": paths_fingerprint(dataset),
        "arms": [str(arm) for arm in dataset.arms],
        "cost": dataset.cost,
        "label_cost": dataset.label_cost,
        "labels_inside": solved_share(dataset, task.space),
        "coverage": {" x ".join(names): share for names, share in shares.items()},
        "provenance": dataset.provenance,
    }


def _known(name: str, task: Task) -> Dataset:
    return shipped(task) if name == "shipped" else load(name, task)


def _import_store(args: argparse.Namespace, task: Task) -> ImportedDataset:
    if args.one_physics or args.topics or args.calibration:
        raise UsageError("--one-physics, --topics and --calibration are about bags: give --bag")
    with opened_store(args.store) as store:
        return import_runs(store, task, args.runs, args.examples, args.seed, args.mix)


def _import_bags(args: argparse.Namespace, task: Task) -> ImportedDataset:
    if args.store:
        raise UsageError("--store and --bag: trials come from one of them")
    for path in args.bags:
        refuse_inside(path, [args.out])
    camera = load_camera(args.calibration) if args.calibration else None
    bags = [open_bag(path, args.topics) for path in args.bags]
    return import_bags(
        bags,
        task,
        args.runs,
        args.examples,
        args.seed,
        args.one_physics,
        EvaluationRequest(camera=camera, poses=given_poses(args)),
        args.mix,
    )
