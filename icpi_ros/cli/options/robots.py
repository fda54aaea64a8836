"""Options of the commands about robots: graphs, the operator, arms, calibration, perception."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import (
    add_arm,
    add_mix,
    add_namespace,
    add_store,
    length,
    number,
    quantities,
    ros_name,
    whole,
)
from icpi_ros.cli.json_output import add_json

STATUS_LIMIT = 5.0
"""Longest wait for the reports of all nodes [s]; each reports once per second."""
WAIT = 3600.0
"""Longest wait for a question, one after the other [s]."""
AT_ONCE = 1.0
"""Longest time for what waits to arrive here [s]."""
CAMERA_VIEWS = 20
TABLE_VIEWS = 5


def up(parser: argparse.ArgumentParser) -> None:
    """Add the graph and its launch arguments, the same as those of ``ros2 launch``."""
    parser.epilog = (
        "Files that arguments name are checked before any node starts (exit code 2).  What the "
        "graph waits for is printed as it comes, then `ready: icpi run --attach ...`; `icpi "
        "status` shows the same at any time."
    )
    parser.add_argument("graph", help="which graph: sim, real or replay")
    parser.add_argument(
        "arguments",
        nargs="*",
        metavar="[BAG] name:=value",
        help="the bag of a replay, and launch arguments; `icpi up sim --show-args` lists them",
    )
    parser.add_argument("-s", "--show-args", action="store_true", help="list the arguments")
    add_json(parser, "the list of --show-args")
    parser.add_argument("--task", help="short for task:=TASK")
    parser.add_argument("--record", metavar="DIR", help="short for record:=DIR: record a bag")
    parser.add_argument("--rate", help="short for rate:=RATE, how fast a bag is replayed")
    parser.add_argument("--namespace", type=ros_name, help="short for namespace:=NAMESPACE")
    parser.add_argument(
        "--dry-run", action="store_true", help="short for dry_run:=true: everything but motion"
    )


def status(parser: argparse.ArgumentParser) -> None:
    """Add the graph, the form of the answer and how long to wait."""
    parser.epilog = (
        "Exit code 0: a run can begin; 1: not yet, each open line says what to do; 2: no graph "
        "answers."
    )
    add_namespace(parser)
    add_json(parser, "the same")
    parser.add_argument(
        "--timeout",
        type=number(0.1, 600.0),
        default=STATUS_LIMIT,
        metavar="S",
        help=f"longest wait for the reports of all nodes [s]; default {STATUS_LIMIT:g}",
    )
    parser.add_argument(
        "--wait",
        type=number(0.0, 86400.0),
        default=0.0,
        metavar="S",
        help="longest wait until a run can begin [s]; default: do not wait",
    )


def approve(parser: argparse.ArgumentParser) -> None:
    """Add what to decide; without it every question is asked at the terminal."""
    add_namespace(parser)
    parser.add_argument("--show", action="store_true", help="print what waits and end")
    add_json(parser, "with --show: what waits (null = nothing)")
    parser.add_argument(
        "--decision",
        choices=("approve", "clear", "reject", "edit"),
        help="decide about what waits now, print what became of it and end; approve: a motion, "
        "clear: the scene is back and the workspace empty; default: ask at the terminal, until "
        "Ctrl-C",
    )
    parser.add_argument(
        "--theta",
        type=quantities,
        metavar="V1,V2",
        help="with --decision edit: numbers in SI units; a length may have its unit, as 5mm",
    )
    parser.add_argument(
        "--request",
        type=whole(0, 2**32 - 1),
        metavar="ID",
        help="with --decision: only about this request (--show prints its id); needed to approve a "
        "motion of which a change was refused",
    )
    parser.add_argument("--comment", default="", help="one line why, for the record")
    parser.add_argument("--operator", default="", help="who decides, for the record")
    parser.add_argument(
        "--timeout",
        type=number(0.0),
        help=f"longest wait for a question [s]; default {WAIT:g} at a terminal, {AT_ONCE:g} with "
        "--decision: it is about what waits now",
    )


def stop(parser: argparse.ArgumentParser) -> None:
    """Add the graph and the release."""
    add_namespace(parser)
    parser.add_argument(
        "--reset", action="store_true", help="release the stop: motions are allowed again"
    )


def arm(parser: argparse.ArgumentParser) -> None:
    """Add ``list`` and ``check``."""
    verbs = parser.add_subparsers(required=True, metavar="list|check")
    listing = verbs.add_parser("list", help="names, joints and tool of the built-in arms")
    add_json(listing, "the list")
    listing.set_defaults(run="lists:list_arms")
    check = verbs.add_parser(
        "check",
        help="is an arm's description sound; with --task: which motions can it do",
        description="Exit code 0: sound; 1: sound, but it can do no motion of the task; 2: bad.",
    )
    check.add_argument("arm", help="name, see `icpi arm list`, or path of a YAML file")
    check.add_argument("--task", help="try the motions of this task, see `icpi task list`")
    check.add_argument(
        "--points", type=whole(2, 200), metavar="N",
        help="grid points along each parameter (default: 21, with three or four parameters 7, with "
        "more as many as 2500 motions allow)",
    )  # fmt: skip
    check.add_argument("--picture", type=Path, metavar="FILE", help="draw it (.svg or .png)")
    add_json(check, "all of it")
    check.set_defaults(run="arm:check_one")


def calibrate(parser: argparse.ArgumentParser) -> None:
    """Add ``board``, ``camera``, ``points``, ``table`` and ``physics``."""
    verbs = parser.add_subparsers(required=True, metavar="board|camera|points|table|physics")
    _add_physics(verbs.add_parser("physics", help="hidden physics, from recorded trials"))
    board = verbs.add_parser("board", help="write a board to print at true size")
    _add_board(board)
    board.add_argument("--out", type=Path, required=True, metavar="FILE", help=".png or .svg")
    board.add_argument("--dpi", type=whole(72, 2400), default=300, help="of the PNG (default: 300)")
    add_json(board, "what was drawn")
    board.set_defaults(run="calibrate:print_board")

    camera = verbs.add_parser("camera", help="intrinsics, from views of the printed board")
    _add_source(camera, required=True)
    _add_board(camera)
    _add_live(camera, 8, CAMERA_VIEWS, "views of --topic")
    _add_outputs(camera)
    add_json(camera, "intrinsics and residuals")
    camera.set_defaults(run="calibrate:calibrate_camera")

    points = verbs.add_parser(
        "points", help="save an image as a page on which the table's marks are clicked"
    )
    _add_source(points, required=True)
    _add_live(points, 1, 1, "images of --topic, of which the last is shown,")
    points.add_argument("--out", type=Path, required=True, metavar="FILE", help="page, .html")
    points.add_argument(
        "--camera", type=Path, metavar="FILE", help="intrinsics: YAML of `camera`; checks the size"
    )
    add_json(points, "the page, and the command that follows it")
    points.set_defaults(run="calibrate:click_points")

    table = verbs.add_parser("table", help="pose to frame base, from known points or markers")
    table.add_argument(
        "--camera", type=Path, required=True, metavar="FILE", help="intrinsics: YAML of `camera`"
    )
    _add_known(table)
    _add_source(table, required=False)
    _add_live(table, 1, TABLE_VIEWS, "images of --topic")
    table.add_argument(
        "--frame", default="camera_optical", help="optical frame (default: camera_optical)"
    )
    _add_outputs(table)
    add_json(table, "pose and residuals")
    table.set_defaults(run="calibrate:calibrate_table")


def _add_board(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--board", choices=("charuco", "chessboard"), default="charuco", help="default: charuco"
    )
    parser.add_argument(
        "--squares", default="7x5", metavar="CxR", help="squares across and down (default: 7x5)"
    )
    parser.add_argument(
        "--square", type=length(0.001, 1.0), default=0.035, metavar="M",
        help="side of a square [m], measured on the print (default: 35mm)",
    )  # fmt: skip
    parser.add_argument(
        "--marker-size", type=length(0.0005, 1.0), default=None, metavar="M",
        help="side of a marker [m] (charuco; default: 26/35 of a square)",
    )  # fmt: skip
    _add_dictionary(parser)


def _add_dictionary(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dictionary", default="4x4_50", metavar="NAME",
        help="markers, for example 4x4_50 or apriltag_36h11 (default: 4x4_50)",
    )  # fmt: skip


def _add_source(parser: argparse.ArgumentParser, required: bool) -> None:
    source = parser.add_mutually_exclusive_group(required=required)
    source.add_argument("--images", metavar="FOLDER|GLOB", help="image files")
    source.add_argument(
        "--topic", type=ros_name, metavar="NAME", help="live sensor_msgs/Image or CompressedImage"
    )
    source.add_argument("--bag", type=Path, metavar="BAG", help="ROS 2 bag with such a topic")
    parser.add_argument(
        "--bag-topic", default="", metavar="NAME", help="image topic of the bag, if it has several"
    )


def _add_live(parser: argparse.ArgumentParser, fewest: int, default: int, what: str) -> None:
    parser.add_argument(
        "--views", type=whole(fewest, 40), default=default, metavar="N",
        help=f"{what} to take (default: {default})",
    )  # fmt: skip
    parser.add_argument(
        "--timeout", type=number(1.0, 3600.0), default=300.0, metavar="S",
        help="longest time for them [s] (default: 300)",
    )  # fmt: skip


def _add_known(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--point", action="append", default=[], metavar="U,V,X,Y,Z",
        help="pixel [px] and position in base [m] of a point; a length may have its unit, as 60cm; "
        "at least four, may be mixed with markers",
    )  # fmt: skip
    parser.add_argument(
        "--points", type=Path, metavar="FILE", help="CSV of such points: u,v,x,y,z[,name]"
    )
    parser.add_argument(
        "--marker", action="append", default=[], metavar="ID,SIZE,X,Y,Z[,YAW]",
        help="marker that lies face up: side and centre in base [m], or with units as 8cm; angle "
        "from base x to its right side [deg]; needs --images or --topic",
    )  # fmt: skip
    _add_dictionary(parser)


def _add_outputs(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--out", type=Path, required=True, metavar="FILE", help="YAML to write, for the node"
    )
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="PNG with the reprojected points"
    )


def _add_physics(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument("bag", nargs="?", type=Path, metavar="BAG", help="ROS 2 bag with trials")
    parser.add_argument(
        "--run", dest="run_id", default="", help="trials of that run, of the bag or the store"
    )
    add_store(parser)
    add_arm(parser, "that of the recording, as far as it is known, else the task's own")
    add_mix(parser, "trials of several arms or backends, or simulated with another arm")
    parser.add_argument("--task", default="", help="needed where a bag has trials of several tasks")
    parser.add_argument(
        "--trials", type=trial_numbers, metavar="N,..", help="only these trials (default: all)"
    )
    parser.add_argument("--out", type=Path, metavar="FILE", help="YAML to write, for simulations")
    add_json(parser)
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw it as PNG or SVG")
    parser.add_argument(
        "--build-dataset", type=Path, metavar="FILE",
        help="build a data set around the estimate (Parquet; see `icpi dataset build`)",
    )  # fmt: skip
    parser.add_argument("--seed", type=whole(0, 2**63), default=0, help="of the search (0)")
    parser.add_argument(
        "--threads", type=whole(1, 256), default=1, help="simulate so many at a time (1)"
    )
    parser.set_defaults(run="calibrate_physics:calibrate_physics")


def trial_numbers(text: str) -> tuple[int, ...]:
    """Parse ``0,2,3``."""
    try:
        numbers = tuple(int(part) for part in text.split(","))
    except ValueError:
        numbers = (-1,)
    if min(numbers) < 0:
        raise argparse.ArgumentTypeError(f"{text!r}: expected trial numbers, for example 0,1,2")
    return numbers


def perception(parser: argparse.ArgumentParser) -> None:
    """Add ``debug``."""
    verbs = parser.add_subparsers(required=True, metavar="debug")
    debug = verbs.add_parser("debug", help="draw what is seen into the images of a bag")
    debug.add_argument("bag", type=Path, metavar="BAG", help="ROS 2 bag with camera images")
    debug.add_argument("--task", required=True, help="task whose object is looked for")
    debug.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for the PNGs")
    debug.add_argument("--topic", default="", help="image topic, if the bag has several")
    debug.add_argument(
        "--calibration",
        type=Path,
        metavar="FILE",
        help="calibrated camera; default: the camera of the task's scene, lens of the bag",
    )
    debug.add_argument(
        "--every", type=whole(1, 100_000), default=10, metavar="N", help="draw every Nth image"
    )
    add_json(debug, "the counts")
    debug.set_defaults(run="perception:run_debug")
