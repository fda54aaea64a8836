"""Measure how fast a moving arm is stopped through a graph of real processes."""

from __future__ import annotations

import argparse

from icpi_benchmarks.stopping.controllers import dialects
from icpi_benchmarks.stopping.latency import kept, summary, text
from icpi_ros.cli.arguments import chosen_arm
from icpi_ros.cli.commands import need_ros
from icpi_ros.tasks import TASKS


def run(args: argparse.Namespace) -> int:
    """Stop many motions, print how long it took; exit code 1 if the target is missed."""
    need_ros()
    from icpi_benchmarks.graph.stop_latency import TASK, measure  # needs ROS

    arm = chosen_arm(args.arm, TASKS.get(TASK))
    found = measure(arm, args.trials, args.seed, args.request, args.controller, args.commands)
    asked = {name: getattr(args, name) for name in ("seed", "request", "controller")}
    asked["arm"] = arm.name
    smooth = dialects(found.heard, found.limits) if found.heard else []
    rows = {**asked, **summary(found.stops, found.missed, found.cancels, smooth, found.presses)}
    print(text(rows))
    if args.json:
        args.json.write(rows)
    return 0 if kept(rows) else 1
