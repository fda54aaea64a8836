"""Run hundreds of trials through the graph: nothing lost, no memory growing, nothing left."""

from __future__ import annotations

import argparse
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from icpi_benchmarks.graph.soak import (
    Soak,
    growth_of,
    node_pids,
    orphaned,
    resident,
    shared_files,
    still_running,
)
from icpi_ros.cli.arguments import arm_argument, chosen_arm
from icpi_ros.cli.commands import need_ros
from icpi_ros.cli.graph_run import reserved_domain
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.core.text import printable
from icpi_ros.improvers import IMPROVERS
from icpi_ros.robots.base import Arm
from icpi_ros.ros.bringup.processes import BackgroundGraph
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.tasks import TASKS


def run(args: argparse.Namespace) -> int:
    """Run and print the measurements; 0 = nothing lost, grown or left."""
    need_ros()
    IMPROVERS.get(args.improver)
    task = TASKS.get(args.task)
    arm = chosen_arm(args.arm, task)
    with tempfile.TemporaryDirectory() as folder:
        soak = _measure(args, arm, Path(folder))
    for growth in soak.growth:
        print(
            f"{growth.node:<16} {growth.begin / 1e6:7.1f} MB after 50 trials, "
            f"{growth.end / 1e6:7.1f} MB at the end: {growth.share:+.2%}"
        )
    print(f"{len(soak.stored)} trials stored, {len(soak.told)} told, in {soak.seconds:.0f} s")
    for problem in soak.problems:
        print(f"problem: {printable(problem)}")
    if args.json:
        args.json.write(asdict(soak) | {"problems": soak.problems})
    return 1 if soak.problems else 0


def _measure(args: argparse.Namespace, arm: Arm, folder: Path) -> Soak:
    from icpi_ros.ros.clients.improve_client import (
        Callbacks,
        ImproveClient,
        ImproveRequest,
    )  # needs ROS

    store, log, before = folder / "trials.sqlite", folder / "graph.log", shared_files()
    given = {"task": args.task, "store": store, "real_time_factor": 0}
    given |= {"arm": arm_argument(arm, TASKS.get(args.task)), "mix": str(args.mix).lower()}
    samples: dict[str, list[int]] = {}
    told: list[int] = []

    def on_trial(trial: Any) -> None:
        told.append(trial.number)
        for name, pid in pids.items():
            samples.setdefault(name, []).append(resident(pid))

    with reserved_domain():
        with BackgroundGraph("sim", given, log) as graph, ImproveClient() as client:
            client.connect(30.0, lambda: None if graph.alive else graph.reason())
            pids = node_pids(log.read_text(encoding="utf-8"))
            begin = time.monotonic()
            request = ImproveRequest(args.task, args.improver, budget=args.trials, seed=args.seed)
            result = client.improve(request, Callbacks(on_trial=on_trial))
            seconds = time.monotonic() - begin
        left = still_running(pids, 5.0)
    if result.error_code:
        raise ExecutionFailed(f"after {len(told)} trials: {result.error_msg}")
    with TrialStore(store) as opened:
        stored = tuple(t.number for t in opened.trials(result.run_id, all_attempts=True))
    new = orphaned(shared_files() - before)
    return Soak(args.trials, stored, tuple(told), growth_of(samples), left, new, seconds)
