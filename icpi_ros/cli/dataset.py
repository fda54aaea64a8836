"""Build a data set of examples in simulation, make one from stored trials, or show one."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from icpi_ros.cli.arguments import (
    add_arm,
    add_workers,
    checked_output,
    checked_picture,
    chosen_arm,
    number,
    whole,
)
from icpi_ros.cli.dataset_import import MAX_EXAMPLES, add_import, dataset_json
from icpi_ros.cli.json_output import add_json
from icpi_ros.cli.progress import progress_bar
from icpi_ros.core.errors import DatasetError, InvalidValue, UsageError
from icpi_ros.core.text import printable
from icpi_ros.core.units import Length, parse_quantity
from icpi_ros.evaluate.physics import physics_file
from icpi_ros.learn.building.build import build_file, kept
from icpi_ros.learn.building.plan import DatasetPlan
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.dataset import load
from icpi_ros.learn.dataset.parquet import metadata
from icpi_ros.learn.retrieval import DEFAULT_K
from icpi_ros.report.dataset import describe_dataset, save_dataset_picture
from icpi_ros.tasks import TASKS

if TYPE_CHECKING:
    from icpi_ros.core.space import ParameterSpace
    from icpi_ros.learn.building.build import BuildProgress
    from icpi_ros.learn.dataset.dataset import Dataset
    from icpi_ros.robots.base import Arm
    from icpi_ros.tasks.base import Task

INTERRUPTED = 130


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``build``, ``import`` and ``show``."""
    verbs = parser.add_subparsers(required=True, metavar="build|import|show")
    _add_build(verbs.add_parser("build", help="label examples in simulation; resumable"))
    add_import(verbs.add_parser("import", help="make examples from stored trials or bags"))
    show = verbs.add_parser("show", help="provenance, ranges and coverage of a data set")
    show.add_argument("file", type=Path)
    show.add_argument("--picture", type=Path, metavar="FILE", help="draw it as PNG")
    add_json(show)
    show.set_defaults(run=show_dataset)


def _add_build(make: argparse.ArgumentParser) -> None:
    make.add_argument("--task", required=True, help="task, see `icpi task list`")
    add_arm(make)
    make.add_argument(
        "--label",
        default="brute",
        help="brute: search for the best theta; hindsight: relabel pairs of executions",
    )
    make.add_argument("--examples", type=whole(1, MAX_EXAMPLES), default=300, metavar="N")
    make.add_argument(
        "--draws", type=whole(1, 30_000), metavar="N", help="physics draws; default: 30 or fewer"
    )
    make.add_argument(
        "--goals-per-draw", type=whole(1, 1000), metavar="N", help="default: 5 if the goal varies"
    )
    make.add_argument(
        "--label-noise",
        type=number(0.0, 2.0),
        default=0.0,
        metavar="STD",
        help="noise on dtheta as a share of theta's half-range (sensitivity studies)",
    )
    make.add_argument(
        "--physics", default="train", help="train: the documented range; shifted: the wider one"
    )
    make.add_argument(
        "--physics-file",
        type=Path,
        metavar="FILE",
        help="YAML of `icpi calibrate physics`: draw around its estimate",
    )
    for what in ("physics", "goal"):
        make.add_argument(
            f"--{what}-range",
            type=named_range,
            action="append",
            default=[],
            metavar="NAME=LOW:HIGH",
            help=f"narrower range of one {what} parameter; repeatable",
        )
    make.add_argument("--seed", type=whole(0, 2**63), default=0)
    make.add_argument(
        "--k", type=whole(1, 1000), metavar="N", help="refuse fewer examples than this (20)"
    )
    add_workers(make)
    make.add_argument("--threads", type=whole(1, 256), default=1, help="per worker (default 1)")
    make.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet file")
    add_json(make, "fingerprint, counts and provenance")
    make.set_defaults(run=build_dataset)


def named_range(text: str) -> tuple[str, tuple[float, float]]:
    """Parse ``friction=0.1:0.2``."""
    name, _, span = text.partition("=")
    try:
        low, high = map(parse_quantity, span.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected NAME=LOW:HIGH, for example friction=0.1:0.2 or x=55cm:60cm"
        ) from None
    return name.strip(), (low, high)


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
            raise InvalidValue(f"--{what}-range {name} is given more than once: give one range")
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
    name = metadata(args.file).get("task")
    if not isinstance(name, str):
        raise DatasetError(f"{args.file} is a Parquet file, but not a data set of icpi_ros")
    task = TASKS.get(name)
    dataset = load(args.file, task)
    for line in describe_dataset(dataset, task, str(args.file)):
        print(printable(line))
    if args.json:
        args.json.write(dataset_json(dataset, task, args.file))
    if picture:
        save_dataset_picture(picture, dataset, task)
        print(f"picture: {picture.absolute()}")
    return 0
