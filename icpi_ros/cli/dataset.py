"""Build a data set of examples in simulation, or show one."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from icpi_ros.cli.arguments import checked_output, whole


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``build`` and ``show``."""
    verbs = parser.add_subparsers(required=True, metavar="build|show")
    make = verbs.add_parser("build", help="label examples by brute-force search in simulation")
    make.add_argument("--task", required=True, help="task, see `icpi task list`")
    make.add_argument("--label", choices=("brute",), default="brute", help="how to label")
    make.add_argument("--examples", type=whole(1, 100_000), default=300, metavar="N")
    make.add_argument(
        "--draws", type=whole(1, 10_000), default=30, help="physics draws (default 30)"
    )
    make.add_argument("--seed", type=whole(0, 2**63), default=0)
    make.add_argument("--threads", type=whole(1, 256), help="default: one per processor")
    make.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet file")
    make.set_defaults(run=build_dataset)
    show = verbs.add_parser("show", help="provenance and ranges of a data set")
    show.add_argument("file", type=Path)
    show.set_defaults(run=show_dataset)


def build_dataset(args: argparse.Namespace) -> int:
    """Build and write; the same arguments give the same file."""
    import os

    from tqdm import tqdm

    from icpi_ros.arms import ARMS
    from icpi_ros.data.dataset import save
    from icpi_ros.data.labelling import BruteForce, build
    from icpi_ros.tasks import TASKS

    task, out = TASKS.get(args.task), checked_output(args.out)
    threads = args.threads or len(os.sched_getaffinity(0))
    plan = BruteForce(args.examples, args.draws, args.seed, threads)
    with tqdm(total=args.draws, unit="draw", disable=not sys.stderr.isatty()) as bar:

        def advance(_done: int) -> None:
            bar.update()

        dataset = build(task, ARMS.get(task.arm), plan, on_draw=advance)
    save(dataset, out, task)
    print(f"{len(dataset)} examples of {task.name}: {out}")
    return 0


def show_dataset(args: argparse.Namespace) -> int:
    """Print what a data set holds and how it was made."""
    import numpy as np

    from icpi_ros.data.dataset import load
    from icpi_ros.data.parquet import metadata
    from icpi_ros.tasks import TASKS

    task = TASKS.get(str(metadata(args.file).get("task", "")))
    dataset = load(args.file, task)
    print(f"{args.file}: {len(dataset)} examples of {task.name}")
    print(f"physics draws: {len(np.unique(dataset.group))}")
    for label, values, names in (
        ("theta", dataset.theta, task.space.names),
        ("dtheta", dataset.dtheta, task.space.names),
        ("error", dataset.error, task.error_names),
    ):
        for name, column in zip(names, values.T, strict=True):
            print(f"{label} {name}: {column.min():.4g} to {column.max():.4g}")
    print(f"cost: mean {1e3 * dataset.cost.mean():.1f} mm")
    print(f"cost after the label: mean {1e3 * np.nanmean(dataset.label_cost):.2f} mm")
    for key, value in dataset.provenance.items():
        print(f"{key}: {value}")
    return 0
