"""Options of `icpi replay`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import (
    add_arm,
    add_mix,
    add_model,
    add_setting,
    add_workers,
    whole,
)
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
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
