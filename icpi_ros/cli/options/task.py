"""Options of `icpi task`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import add_arm, number, quantities, ros_name, whole
from icpi_ros.cli.json_output import add_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add ``list``, ``describe`` and ``new``."""
    verbs = parser.add_subparsers(required=True, metavar="list|describe|new")
    _add_new(verbs.add_parser("new", help="a task from a demonstrated motion: NAME.yaml and .csv"))
    listing = verbs.add_parser("list", help="names and one line each")
    add_json(listing, "the list")
    listing.set_defaults(run="lists:list_tasks")
    describe = verbs.add_parser(
        "describe",
        help="parameters, goals, hidden physics, cost; measured: is it worth iterating",
    )
    describe.add_argument("name", help="task, see `icpi task list`")
    add_arm(describe)
    describe.add_argument("--quick", action="store_true", help="measure nothing")
    describe.add_argument(
        "--picture", type=Path, metavar="FILE", help="PNG of the cost landscape for two draws"
    )
    describe.add_argument(
        "--draws", type=whole(1, 1000), default=8, metavar="N", help="physics draws (default: 8)"
    )
    describe.add_argument(
        "--seed", type=whole(0, 2**62), default=0, help="of the draws (default: 0)"
    )
    add_json(describe)
    describe.set_defaults(run="task:describe_task")


def _add_new(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", help="of the task: small letters, digits, _ and -")
    parser.add_argument(
        "--from", dest="sources", type=Path, action="append", metavar="BAG|CSV",
        help="recording of the joints, from rest to rest: a bag, or a CSV (time,<joint>,... in s "
        "and rad); several times for several demonstrations. Without it the topic is recorded "
        "until the arm has moved and rests",
    )  # fmt: skip
    parser.add_argument(
        "--topic", type=ros_name, default="", metavar="NAME",
        help="of the joint states (default: /joint_states, in a bag the only one)",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=number(1, 3600), default=60.0, metavar="S",
        help="longest wait for the motion on the topic [s] (default: 60)",
    )  # fmt: skip
    add_arm(parser, "ur5e")
    parser.add_argument(
        "--limits", default="", metavar="FILE", help="tighter limits of the arm, YAML"
    )
    parser.add_argument(
        "--parameters", default="speed,heading", metavar="NAME[=LOW:HIGH],..",
        help="parameters of the motion (default: speed,heading); bounds that are not given are "
        "proposed, and all are cut to what the arm can do",
    )  # fmt: skip
    parser.add_argument(
        "--between", type=quantities, metavar="T0,T1",
        help="part of the recording that holds the motion [s after its first sample]",
    )  # fmt: skip
    parser.add_argument(
        "--out", type=Path, default=Path(), metavar="FOLDER", help="default: this folder"
    )
    add_json(parser, "the motion and its bounds")
    parser.set_defaults(run="task_new:new_task")
