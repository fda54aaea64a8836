"""Options of the commands to use it: `icpi run`, its reports, and what there is."""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

from icpi_ros.cli.arguments import (
    add_arm,
    add_graph,
    add_mix,
    add_model,
    add_namespace,
    add_setting,
    add_store,
    number,
    quantities,
    ros_name,
    whole,
)
from icpi_ros.cli.json_output import add_json
from icpi_ros.cli.options.page import add_frames, add_operate, add_page
from icpi_ros.settings.table import find

TRIALS: int = find("trials").default
UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def demo(parser: argparse.ArgumentParser) -> None:
    """Add what the demo lets one change."""
    parser.add_argument("--seed", type=whole(0, 2**62), default=1)
    parser.add_argument("--in-process", action="store_true", help="simulate here, without ROS")
    add_arm(parser)
    add_mix(parser, "learn from a data set of another arm")
    add_json(parser, "the run")
    add_store(parser)
    add_graph(parser)


def run(parser: argparse.ArgumentParser) -> None:
    """Add what `icpi run` takes."""
    parser.add_argument("--task", help="task, see `icpi task list`, or its YAML file")
    parser.add_argument(
        "--world",
        metavar="TASK",
        help="task in whose scene and physics the motions are simulated; default: the task's own",
    )
    parser.add_argument(
        "--improver", help="who proposes; a wrong name lists all (default: embedded)"
    )
    add_setting(parser, "trials", f"default: {TRIALS}")
    add_setting(
        parser,
        "seed",
        "of the first attempt, the improver and the hidden physics, which with --attach is the "
        "graph's; default: 0",
    )
    parser.add_argument(
        "--goal",
        type=quantities,
        metavar="X,Y",
        help="in metres, or with units as 60cm,42cm; default: the task's own",
    )
    add_setting(parser, "target_cost", "default: 0")
    add_setting(parser, "first", "default: demonstration")
    add_setting(parser, "stop", "default: after-trials, with --resume that of the run")
    parser.add_argument("--dataset", type=Path, help="examples; default: the shipped set")
    add_setting(parser, "learn_from", "default: auto")
    parser.add_argument("--resume", metavar="RUN", help="continue a stored run, see `icpi runs`")
    add_arm(parser, "the task's own; with --resume: that of the run")
    add_mix(
        parser,
        "with --resume: go on with another arm, or in a simulation what began on a real arm; in a "
        "new run: learn from a data set of another arm",
    )
    how = parser.add_mutually_exclusive_group()
    how.add_argument("--in-process", action="store_true", help="simulate here, without ROS")
    how.add_argument(
        "--attach",
        action="store_true",
        help="use the graph that is up (with the same --store), start none",
    )
    add_setting(parser, "noise", "with --in-process")
    add_setting(parser, "latency", "with --in-process")
    add_model(parser)
    add_setting(parser, "fallback", "default: refuse")
    add_json(parser, "the run")
    parser.add_argument("--picture", type=Path, metavar="FILE", help="draw the run as PNG")
    parser.add_argument(
        "--view", action="store_true", help="show the run live, as a page in the browser"
    )
    add_page(parser)
    add_operate(parser)
    add_frames(parser)
    add_store(parser)
    add_graph(parser)


def runs(parser: argparse.ArgumentParser) -> None:
    """Add the filters, ``compare`` and ``delete``."""
    add_store(parser)
    parser.add_argument("--task", help="only runs of this task")
    parser.add_argument(
        "--since",
        type=moment,
        metavar="TIME",
        help="only runs that began then or later: 2026-11-29, 2026-11-29T08:30 (UTC), or 30m, 12h, "
        "7d, 2w ago",
    )
    parser.add_argument("--arm", metavar="NAME", help="only runs that began with this arm")
    parser.add_argument(
        "--backend",
        choices=("in_process", "simulated_graph", "real_graph", "replay", "unknown"),
        help="only runs that began like this",
    )
    parser.add_argument(
        "--view",
        action="store_true",
        help="show them side by side in a page of the browser: costs, settings that differ; the "
        "options above are the filters that it starts with",
    )
    add_page(parser)
    parser.set_defaults(host=None, port=None)
    add_json(parser, "the list, or with --view the address of the page,")
    verbs = parser.add_subparsers(metavar="[compare|delete]")
    unset = argparse.SUPPRESS  # what stands before the verb counts, too
    compare = verbs.add_parser(
        "compare", help="how two runs differ, and what each trial cost", argument_default=unset
    )
    compare.add_argument("runs", nargs=2, metavar="RUN")
    compare.set_defaults(run="runs:compare_runs")
    delete = verbs.add_parser(
        "delete", help="delete a run and its trials from the store", argument_default=unset
    )
    delete.add_argument("deleted", metavar="RUN")
    delete.add_argument("--yes", action="store_true", default=False, help="do not ask")
    delete.set_defaults(run="runs:delete_run")
    for verb in (compare, delete):
        add_store(verb)
        add_json(verb)


def moment(text: str, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> datetime:
    """Parse a time in UTC, or an age such as ``12h``."""
    if age := re.fullmatch(r"(\d{1,5})([mhdw])", text):
        return now() - timedelta(**{UNITS[age[2]]: int(age[1])})
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text!r}: expected a date, a date and time, or an age, for example 2026-11-29, "
            "2026-11-29T08:30 or 12h"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def report(parser: argparse.ArgumentParser) -> None:
    """Add what `icpi report` takes."""
    parser.add_argument(
        "what",
        nargs="*",
        metavar="RUN|BAG|FILE",
        help="id of a stored run (see `icpi runs`), a bag, or the JSON file of `icpi bench`; "
        "several runs are shown one below the other, several files of the same instances in one "
        "table",
    )
    add_mix(parser, "report on runs or files of several arms or backends")
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="write one page that needs no network"
    )
    parser.add_argument(
        "--png", type=Path, metavar="FOLDER", help="write the figures for papers (200 dpi)"
    )
    parser.add_argument(
        "--video",
        type=Path,
        metavar="FILE",
        help="write arm and object of a run's first and best trial side by side, .gif or .mp4; "
        "needs a scene",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the trials as CSV")
    parser.add_argument("--parquet", type=Path, metavar="FILE", help="write the trials as Parquet")
    parser.add_argument(
        "--markdown",
        type=Path,
        metavar="FILE.md",
        help="write a benchmark's tables as Markdown, and one small figure beside it (FILE.png)",
    )
    parser.add_argument(
        "--compare",
        metavar="A,B",
        help="two improvers of the results files, or two results files, side by side: ratio, "
        "difference and wins on the same instances, with paired 95 %% intervals",
    )
    add_json(parser, "the runs, or what the tables of a benchmark show,")
    parser.add_argument(
        "--run", dest="run_id", default="", metavar="ID", help="which run of a bag that has several"
    )
    parser.add_argument(
        "--topics", type=Path, metavar="FILE", help="YAML: our topic names to those of the bag"
    )
    add_store(parser)


def view(parser: argparse.ArgumentParser) -> None:
    """Add what `icpi view` takes."""
    parser.epilog = (
        "The page is open to those who have the link that is printed, which ends with the command. "
        "STOP alone needs no link."
    )
    parser.add_argument(
        "what",
        nargs="?",
        metavar="RUN|BAG",
        help="id of a stored run (see `icpi runs`), which is followed while it is under way, or a "
        "bag; default: the graph that is up",
    )
    add_operate(parser)
    add_page(parser)
    add_frames(parser)
    add_namespace(parser)
    parser.add_argument(
        "--wait",
        type=number(0.1, 86400.0),
        default=10.0,
        metavar="S",
        help="longest wait for the graph to answer [s]; default: 10",
    )
    parser.add_argument(
        "--camera",
        action="store_true",
        help="also the camera image of a graph, with what perception sees in it",
    )
    parser.add_argument(
        "--foxglove",
        type=Path,
        metavar="FILE",
        help="open no page: write a layout for Foxglove, of the bag or of a graph in --namespace",
    )
    add_json(parser, "the addresses of the page, once it is open,")
    add_arm(parser, "that of the run")
    parser.add_argument(
        "--run", dest="run_id", default="", metavar="ID", help="which run of a bag that has several"
    )
    parser.add_argument(
        "--topics", type=Path, metavar="FILE", help="YAML: our topic names to those of the bag"
    )
    add_store(parser)


def task(parser: argparse.ArgumentParser) -> None:
    """Add ``list``, ``describe``, ``new`` and ``try``."""
    verbs = parser.add_subparsers(required=True, metavar="list|describe|new|try")
    _add_new(verbs.add_parser("new", help="a task from a demonstrated motion: NAME.yaml and .csv"))
    _add_try(
        verbs.add_parser(
            "try", help="before anything moves: does the arm allow its motions, is it observed"
        )
    )
    listing = verbs.add_parser("list", help="names and one line each")
    add_json(listing, "the list")
    listing.set_defaults(run="lists:list_tasks")
    describe = verbs.add_parser(
        "describe", help="parameters, goals, hidden physics, cost; measured: is it worth iterating"
    )
    describe.add_argument(
        "task", metavar="name", help="task, see `icpi task list`, or its YAML file"
    )
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


def improver(parser: argparse.ArgumentParser) -> None:
    """Add ``list`` and ``describe``."""
    verbs = parser.add_subparsers(required=True, metavar="list|describe")
    listing = verbs.add_parser("list", help="names, one line each, and what they need")
    listing.set_defaults(run="improver:list_improvers")
    describe = verbs.add_parser("describe", help="what it does, and its options")
    describe.add_argument("name", help="improver, see `icpi improver list`")
    describe.set_defaults(run="improver:describe_improver")
    for verb in (listing, describe):
        add_json(verb, "it")


def check_plugin(parser: argparse.ArgumentParser) -> None:
    """Add the plug-ins."""
    parser.epilog = "Exit code 0: every check passed; 1: one did not; 2: it cannot be loaded."
    parser.add_argument(
        "plugins",
        nargs="*",
        metavar="MODULE_OR_FILE",
        help="default: all that installed packages, --plugin and $ICPI_PLUGINS add",
    )
    add_json(parser, "a row per check")


def doctor(parser: argparse.ArgumentParser) -> None:
    """Add ``--json``."""
    add_json(parser, "the checks")


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


def _add_try(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("task", metavar="name", help="task, see `icpi task list`, or its YAML file")
    add_arm(parser)
    parser.add_argument(
        "--samples",
        type=int,
        choices=[2**n for n in range(13)],
        default=64,
        metavar="N",
        help="thetas spread over the box for the share that passes, a power of two (default: 64)",
    )
    parser.add_argument(
        "--picture", type=Path, metavar="FILE", help="the motions over the table, SVG or PNG"
    )
    parser.add_argument(
        "--trials",
        metavar="RUN",
        help="judge the recorded paths of a stored run with this task, and measure repeatability "
        "from those of one theta (`icpi run --improver repeat`)",
    )
    add_store(parser)
    add_json(parser, "what was found")
    parser.set_defaults(run="task_try:try_task")
