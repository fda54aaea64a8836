"""Measure how fast a moving arm is stopped through a graph of real processes."""

from __future__ import annotations

import argparse

from icpi_benchmarks.stopping.controllers import dialects
from icpi_benchmarks.stopping.latency import kept, summary, text
from icpi_ros.cli.arguments import add_arm, chosen_arm, whole
from icpi_ros.cli.json_output import add_json
from icpi_ros.tasks import TASKS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the benchmark lets one change."""
    parser.add_argument("--trials", type=whole(1, 10_000), default=200, metavar="N")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)
    parser.add_argument(
        "--request",
        choices=("both", "cancel", "service"),
        default="both",
        help="cancel the goal, call the service stop, or each for half of the trials",
    )
    parser.add_argument(
        "--controller",
        choices=("topic", "action"),
        default="topic",
        help="the way to the arm; action needs control_msgs, and its commands are not overheard",
    )
    add_arm(parser)
    add_json(parser)


def run(args: argparse.Namespace) -> int:
    """Stop many motions, print how long it took; exit code 1 if the target is missed."""
    from icpi_benchmarks.graph.stop_latency import TASK, measure  # needs ROS

    arm = chosen_arm(args.arm, TASKS.get(TASK))
    found = measure(arm, args.trials, args.seed, args.request, args.controller)
    asked = {name: getattr(args, name) for name in ("seed", "request", "controller")}
    asked["arm"] = arm.name
    smooth = dialects(found.heard, found.limits) if found.heard else []
    rows = {**asked, **summary(found.stops, found.missed, found.cancels, smooth)}
    print(text(rows))
    if args.json:
        args.json.write(rows)
    return 0 if kept(rows) else 1
