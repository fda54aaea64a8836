"""Measure the memory of a run's nodes: the largest of each, and of all together."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from icpi_benchmarks.graph.memory import PeakMemory, kept, text
from icpi_benchmarks.graph.soak import node_pids
from icpi_ros.cli.arguments import arm_argument, chosen_arm
from icpi_ros.cli.commands import need_ros
from icpi_ros.cli.graph_run import reserved_domain
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.improvers import IMPROVERS
from icpi_ros.ros.bringup.processes import BackgroundGraph
from icpi_ros.tasks import TASKS


def run(args: argparse.Namespace) -> int:
    """Carry out a run and print the memory of its nodes; exit code 1 if the target is missed."""
    need_ros()
    IMPROVERS.get(args.improver)
    TASKS.get(args.task)
    with tempfile.TemporaryDirectory() as folder, reserved_domain():
        rows = _measure(args, Path(folder))
    print(text(rows))
    if args.json:
        args.json.write(rows)
    return 0 if kept(rows) else 1


def _measure(args: argparse.Namespace, folder: Path) -> dict[str, Any]:
    from icpi_ros.ros.clients.improve_client import (
        Callbacks,
        ImproveClient,
        ImproveRequest,
    )  # needs ROS

    task, log = TASKS.get(args.task), folder / "graph.log"
    arm = chosen_arm(args.arm, task)
    given = {"task": args.task, "store": folder / "trials.sqlite", "real_time_factor": 0}
    given |= {"arm": arm_argument(arm, task)}
    with BackgroundGraph("sim", given, log) as graph, ImproveClient() as client:
        client.connect(30.0, lambda: None if graph.alive else graph.reason())
        memory = PeakMemory(node_pids(log.read_text(encoding="utf-8")))
        memory.look()
        request = ImproveRequest(args.task, args.improver, budget=args.trials, seed=args.seed)
        result = client.improve(request, Callbacks(on_trial=lambda _: memory.look()))
        memory.look()
    if result.error_code:
        raise ExecutionFailed(result.error_msg)
    asked = {name: getattr(args, name) for name in ("task", "improver", "trials", "seed")}
    return {**asked, "arm": arm.name, **memory.rows()}
