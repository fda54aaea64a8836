"""Options of `icpi dataset`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import (
    add_arm,
    add_workers,
    number,
    whole,
)
from icpi_ros.cli.json_output import add_json
from icpi_ros.cli.options.dataset_import import MAX_EXAMPLES, add_import
from icpi_ros.core.units import parse_quantity


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``build``, ``import`` and ``show``."""
    verbs = parser.add_subparsers(required=True, metavar="build|import|show")
    _add_build(verbs.add_parser("build", help="label examples in simulation; resumable"))
    add_import(verbs.add_parser("import", help="make examples from stored trials or bags"))
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
    """Parse ``friction=0.1:0.2``."""
    name, _, span = text.partition("=")
    try:
        low, high = map(parse_quantity, span.split(":"))
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected NAME=LOW:HIGH, for example friction=0.1:0.2 or x=55cm:60cm"
        ) from None
    return name.strip(), (low, high)
