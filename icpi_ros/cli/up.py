"""Start a graph of nodes without ros2 launch; Ctrl-C ends it."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import WINDOW, read_mapping
from icpi_ros.cli.commands import need_ros
from icpi_ros.core.errors import UsageError
from icpi_ros.ros.bringup.description import GRAPHS, page_command, with_checklist
from icpi_ros.ros.bringup.files import checked_graph
from icpi_ros.ros.bringup.processes import run_graph
from icpi_ros.view import need_viser


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
    specs = with_checklist(checked_graph(args.graph, values))
    page = page_command(args.graph, values)
    if page is not None:
        need_viser()
    need_ros()
    return run_graph(specs, page)


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
        raise UsageError(
            f"bag {bag.path}: no trial window in it: nothing can be replayed{bag.because}"
        )
    return str(first.content.task)
