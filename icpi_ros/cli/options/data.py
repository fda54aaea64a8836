"""Options of the commands about data: data sets and bags."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import (
    add_arm,
    add_mix,
    add_model,
    add_setting,
    add_store,
    add_workers,
    number,
    whole,
)
from icpi_ros.cli.json_output import add_json
from icpi_ros.core.units import parse_quantity
from icpi_ros.settings.poses import POSE_SETTINGS

MAX_EXAMPLES = 1_000_000


def dataset(parser: argparse.ArgumentParser) -> None:
    """Add ``build``, ``import``, ``add-paths`` and ``show``."""
    verbs = parser.add_subparsers(required=True, metavar="build|import|add-paths|show")
    _add_build(verbs.add_parser("build", help="label examples in simulation; resumable"))
    _add_import(verbs.add_parser("import", help="make examples from stored trials or bags"))
    paths = verbs.add_parser(
        "add-paths", help="execute a built set again for the object's paths, which older ones lack"
    )
    paths.add_argument("file", type=Path, help="data set that `icpi dataset build` made")
    add_arm(paths)
    paths.add_argument("--threads", type=whole(1, 256), default=1, help="default: 1")
    paths.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet file")
    add_json(paths, "fingerprints, counts and provenance")
    paths.set_defaults(run="dataset:add_paths")
    show = verbs.add_parser("show", help="provenance, ranges and coverage of a data set")
    show.add_argument("file", type=Path)
    show.add_argument("--picture", type=Path, metavar="FILE", help="draw it as PNG")
    add_json(show)
    show.set_defaults(run="dataset:show_dataset")


def _add_build(make: argparse.ArgumentParser) -> None:
    make.add_argument("--task", required=True, help="task, see `icpi task list`")
    add_arm(make)
    make.add_argument(
        "--label",
        default="brute",
        help="brute: search for the best theta, which takes most of the time; hindsight: relabel "
        "pairs of executions; default: brute",
    )
    make.add_argument(
        "--examples", type=whole(1, MAX_EXAMPLES), default=300, metavar="N", help="default: 300"
    )
    make.add_argument(
        "--draws",
        type=whole(1, 30_000),
        metavar="N",
        help="physics draws, by which brute's time grows; default: 30, or --examples if fewer",
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
        "--physics",
        default="train",
        help="train (default): the documented range; shifted: the wider one",
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
    make.add_argument("--seed", type=whole(0, 2**63), default=0, metavar="N", help="default: 0")
    make.add_argument(
        "--k", type=whole(1, 1000), metavar="N", help="refuse fewer examples than this (20)"
    )
    add_workers(make)
    make.add_argument("--threads", type=whole(1, 256), default=1, help="per worker (default 1)")
    make.add_argument("--out", type=Path, required=True, metavar="FILE", help="Parquet file")
    add_json(make, "fingerprint, counts and provenance")
    make.set_defaults(run="dataset:build_dataset")


def named_range(text: str) -> tuple[str, tuple[float, float]]:
    """Parse ``friction=0.1:0.2`` [unit of the parameter]."""
    name, _, span = text.partition("=")
    try:
        low, high = map(parse_quantity, span.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected NAME=LOW:HIGH, for example friction=0.1:0.2 or x=55cm:60cm"
        ) from None
    return name.strip(), (low, high)


def _add_import(make: argparse.ArgumentParser) -> None:
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
    _add_poses(make)
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
    make.set_defaults(run="dataset:import_dataset")


def _add_poses(parser: argparse.ArgumentParser) -> None:
    """Add unit, frame and clock of the poses in bags."""
    for name in POSE_SETTINGS:
        add_setting(parser, name, "default: as recorded")


def replay(parser: argparse.ArgumentParser) -> None:
    """Add what `icpi replay` takes."""
    parser.add_argument("bag", type=Path, help="folder of a bag, or a .mcap or .db3 file")
    parser.add_argument(
        "--improver",
        default="",
        metavar="A,B",
        help="who is asked; a wrong name lists all (default: who was asked in the recording)",
    )
    parser.add_argument("--task", default="", help="only runs of this task")
    parser.add_argument("--run", dest="run_id", default="", metavar="ID", help="only this run")
    parser.add_argument(
        "--topics", type=Path, metavar="FILE", help="YAML: our topic names to those of the bag"
    )
    add_setting(parser, "source", "default: as in the recording", default="")
    parser.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="camera; default: the scene's with the bag's camera_info",
    )
    _add_poses(parser)
    parser.add_argument("--dataset", type=Path, help="examples; default: the shipped set")
    add_setting(
        parser, "seed", "default: the one below 10000 that gives the first attempt of each run"
    )
    add_setting(parser, "max_step", "default: as recorded")
    parser.add_argument(
        "--pairs",
        type=whole(0, 10_000),
        metavar="N",
        help="solved instances made of pairs of trials, per run, where improvers are compared "
        "(default: 12)",
    )
    add_arm(parser, "that of the recording")
    add_mix(parser, "another arm than that of the recording, or examples of another")
    add_model(parser)
    add_workers(parser)
    add_json(parser, "everything")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write one page")
