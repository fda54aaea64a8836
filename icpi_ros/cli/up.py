"""Start a graph of nodes without ros2 launch; Ctrl-C ends it."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import WINDOW, read_mapping
from icpi_ros.cli.arguments import ros_name
from icpi_ros.cli.json_output import add_json
from icpi_ros.core.errors import UsageError
from icpi_ros.ros.bringup.description import GRAPHS, with_checklist
from icpi_ros.ros.bringup.files import checked_graph
from icpi_ros.ros.bringup.processes import run_graph


def add_arguments(parser: argparse.ArgumentParser) -> None:
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


def run(args: argparse.Namespace) -> int:
    """Run the graph in the foreground; 0 after Ctrl-C."""
    if args.graph not in GRAPHS:
        raise UsageError(f"unknown graph {args.graph!r}: choose one of {', '.join(GRAPHS)}")
    if args.show_args:
        for argument in GRAPHS[args.graph]:
            choices = f" One of {', '.join(argument.choices)}." if argument.choices else ""
            print(f"{argument.name}:={argument.default}\n    {argument.description}.{choices}")
        if args.json:
            args.json.write([vars(argument) for argument in GRAPHS[args.graph]])
        return 0
    if args.json:
        raise UsageError("--json is for --show-args; of a graph that is up: icpi status --json")
    given = {name: getattr(args, name) for name in ("task", "namespace", "record", "rate")}
    values = {name: value for name, value in given.items() if value is not None}
    if args.dry_run:
        values["dry_run"] = "true"
    words = list(args.arguments)
    if args.graph == "replay" and words and ":=" not in words[0]:
        values["bag"] = words.pop(0)
    for word in words:
        name, separator, value = word.partition(":=")
        if not separator:
            raise UsageError(f"{word!r} is not a launch argument: write name:=value")
        values[name] = value
    if args.graph == "replay" and values.get("bag") and "task" not in values:
        values["task"] = _recorded_task(values)
    return run_graph(with_checklist(checked_graph(args.graph, values)))


def _recorded_task(values: dict[str, str]) -> str:
    """Return the task that was recorded in a bag.

    Raises:
        UsageError: the bag cannot be read, or does not say.
    """
    mapping = values.get("mapping")
    bag = Bag(Path(values["bag"]).expanduser(), read_mapping(Path(mapping)) if mapping else None)
    bag.require(WINDOW)
    first = next(bag.messages((WINDOW,)), None)
    if first is None:
        raise UsageError(f"bag {bag.path}: no trial window in it: nothing can be replayed")
    return str(first.content.task)
