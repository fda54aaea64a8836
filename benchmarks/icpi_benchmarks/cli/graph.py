"""Measure the ROS graph: overhead per trial, speed, and distance from the in-process rollout."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from icpi_benchmarks.graph.trial_speed import SpeedPlan, measure
from icpi_ros.cli.arguments import chosen_arm
from icpi_ros.cli.commands import need_ros
from icpi_ros.cli.graph_run import reserved_domain
from icpi_ros.cli.json_output import kept
from icpi_ros.tasks import TASKS


def run(args: argparse.Namespace) -> int:
    """Run random trials through a graph at every factor and print the measurements."""
    task = TASKS.get(args.task)
    arm = chosen_arm(args.arm, task)
    need_ros()
    factors = args.real_time_factor or [1.0, 0.0]
    with tempfile.TemporaryDirectory() as folder, kept(args.json, []) as rows, reserved_domain():
        for factor in factors:
            plan = SpeedPlan(task, arm, args.trials, args.seed, factor)
            found = measure(plan, Path(folder)).figures()
            rows.append({"task": task.name, "arm": arm.name, "real_time_factor": factor, **found})
            print(_line(rows[-1]), flush=True)
    return 0


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['task']}, real-time factor {row['real_time_factor']:g}, {row['trials']} trials: "
        f"{row['seconds']:.3f} s per trial, of which {row['moving']:.3f} s motion and settling; "
        f"wall / moving {row['overhead']:.3f} (worst {row['overhead_worst']:.3f}); "
        f"{row['speed']:.1f} x real time; a rollout in process takes "
        f"{row['rollout_seconds']:.3f} s: {row['rollout_ratio']:.1f} x its wall time, "
        f"{row['rollout_ratio_processor']:.1f} x its processor time, "
        f"{row['rollout_ratio_per_simulated_second']:.1f} x per simulated second; distance: median "
        f"{1e3 * row['distance_median']:.4f} mm, worst {1e3 * row['distance_worst']:.3f} mm"
    )
