"""Options of `icpi run`."""

from __future__ import annotations

import argparse
from pathlib import Path

from icpi_ros.cli.arguments import (
    add_arm,
    add_graph,
    add_mix,
    add_model,
    add_setting,
    add_store,
    quantities,
)
from icpi_ros.cli.json_output import add_json
from icpi_ros.settings.table import find

TRIALS: int = find("trials").default


def add_arguments(parser: argparse.ArgumentParser) -> None:
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
    parser.add_argument("--dataset", type=Path, help="examples; default: the shipped set")
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
    add_store(parser)
    add_graph(parser)
