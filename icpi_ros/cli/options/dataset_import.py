"""Options of `icpi dataset import`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import add_mix, add_store, whole
from icpi_ros.cli.json_output import add_json

MAX_EXAMPLES = 1_000_000


def add_import(make: argparse.ArgumentParser) -> None:
    """Add what `icpi dataset import` takes."""
    make.add_argument("--task", required=True, help="task of the runs")
    add_store(make)
    make.add_argument(
        "--bag",
        dest="bags",
        type=Path,
        nargs="+",
        action="extend",
        default=[],
        metavar="BAG",
        help="recorded bags instead of the store",
    )
    make.add_argument("--topics", type=Path, metavar="FILE", help="YAML: our topics to the bag's")
    make.add_argument(
        "--calibration", type=Path, metavar="FILE", help="camera, for bags without paths"
    )
    make.add_argument(
        "--one-physics",
        action="store_true",
        help="all runs of the bags were made under the same conditions: pair trials across runs",
    )
    make.add_argument(
        "--run",
        dest="runs",
        nargs="+",
        action="extend",
        default=[],
        metavar="RUN",
        help="runs, each one physics, see `icpi runs`; default: all of the task that are usable",
    )
    make.add_argument(
        "--with",
        dest="known",
        metavar="FILE",
        help="put them behind the examples of FILE; `shipped` = the set of the package",
    )
    make.add_argument(
        "--examples", type=whole(1, MAX_EXAMPLES), metavar="N", help="at most; default: all pairs"
    )
    make.add_argument("--seed", type=whole(0, 2**63), default=0, help="of that choice")
    add_mix(make, "trials of several arms or backends")
    make.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet file")
    add_json(make, "fingerprint, counts and provenance")
    make.set_defaults(run="dataset_import:import_dataset")
