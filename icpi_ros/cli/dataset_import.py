"""Make a data set of executed trials: stored runs, or recorded bags."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from icpi_ros.cli.arguments import checked_output
from icpi_ros.cli.bags import open_bag, refuse_inside
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.evaluate.dataset_from_bags import import_bags
from icpi_ros.evaluate.dataset_from_runs import import_runs
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.learn.dataset.dataset import coverage, fingerprint, load, save, shipped, solved_share
from icpi_ros.learn.dataset.joining import together
from icpi_ros.perception.calibration.file import load_camera
from icpi_ros.runs.store.store import TrialStore, default_path
from icpi_ros.tasks import TASKS

if TYPE_CHECKING:
    from icpi_ros.evaluate.dataset_from_runs import ImportedDataset
    from icpi_ros.learn.dataset.dataset import Dataset
    from icpi_ros.tasks.base import Task


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
    path = args.store or default_path()
    if not path.exists():
        raise UsageError(f"there is no trial store at {path}: name one with --store")
    with TrialStore(path) as store:
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
        EvaluationRequest(camera=camera),
        args.mix,
    )
