"""Measure how late the live page shows the arm, how fast its STOP is, and what it costs."""

from __future__ import annotations

import argparse

from icpi_benchmarks.graph.page_figures import kept, summary, text
from icpi_ros.cli.arguments import chosen_arm
from icpi_ros.cli.commands import need_ros
from icpi_ros.tasks import TASKS
from icpi_ros.view import need_viser


def run(args: argparse.Namespace) -> int:
    """Measure and print; exit code 1 if a target is missed."""
    need_ros()
    need_viser()
    from icpi_benchmarks.graph.page import TASK, PagePlan, measure  # needs ROS and viser

    arm = chosen_arm(args.arm, TASKS.get(TASK))
    width, height = args.window
    counts = (args.seconds, args.stops, args.pairs, args.trials, args.seed)
    plan = PagePlan(arm, *counts, (width, height), args.draw)
    asked = {name: getattr(args, name) for name in ("seconds", "trials", "seed", "window", "draw")}
    rows = {"arm": arm.name, **asked, **summary(measure(plan), args.seed)}
    print(text(rows))
    if args.json:
        args.json.write(rows)
    return 0 if kept(rows) else 1
