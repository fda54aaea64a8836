"""Measure the ROS graph: overhead per trial, speed, and distance from the in-process rollout."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from icpi_ros.cli import run as run_command
from icpi_ros.cli.graph_run import through_graph
from icpi_ros.cli.json_output import kept
from icpi_ros.cli.options import use_it
from icpi_ros.cli.run import Plan
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout


def run(args: argparse.Namespace) -> int:
    """Run random trials through a graph at every factor and print the measurements."""
    factors = args.real_time_factor or [1.0, 0.0]
    with tempfile.TemporaryDirectory() as folder, kept(args.json, []) as rows:
        for index, factor in enumerate(factors):
            rows.append(_measure(args, factor, Path(folder) / f"{index}.sqlite"))
            print(_line(rows[-1]), flush=True)
    return 0


def _measure(args: argparse.Namespace, factor: float, store: Path) -> dict[str, Any]:
    words = ["--task", args.task, "--improver", "random", "--trials", str(args.trials)]
    words += ["--seed", str(args.seed), "--store", str(store), "--real-time-factor", str(factor)]
    words += ["--arm", args.arm] if args.arm else []
    parser = argparse.ArgumentParser()
    use_it.run(parser)
    full = parser.parse_args(words)
    plan = run_command.make_plan(full)
    run_id = through_graph(full, plan, lambda _: None)
    with TrialStore(store) as opened:
        trials, record = opened.trials(run_id), opened.run(run_id)
    if record.state != "finished":
        raise ExecutionFailed(f"the run {record.state}: {record.note}")
    seconds = np.array([trial.seconds for trial in trials])
    moving = np.array([trial.moving for trial in trials])
    return {
        "task": args.task,
        "arm": plan.arm.name if plan.arm else "",
        "real_time_factor": factor,
        "trials": len(trials),
        "seconds": float(np.median(seconds)),
        "moving": float(np.median(moving)),
        "overhead": float(np.median(seconds / moving)),
        "overhead_worst": float(np.max(seconds / moving)),
        "speed": float(np.sum(moving) / np.sum(seconds)),
        **_distances(plan, trials),
    }


def _distances(plan: Plan, trials: list[Any]) -> dict[str, float]:
    """Compare final positions with rollouts of the same theta and physics in process [m]."""
    thetas = np.array([trial.theta for trial in trials])
    physics = plan.task.seeded_physics(plan.seed)
    assert plan.arm is not None  # the graph was started here
    alone = rollout(plan.task, plan.arm, physics, thetas).trajectories
    far = [
        float(np.linalg.norm(trial.trajectory.positions[-1] - other.positions[-1]))
        for trial, other in zip(trials, alone, strict=True)
    ]
    return {"distance_median": float(np.median(far)), "distance_worst": max(far)}


def _line(row: dict[str, Any]) -> str:
    return (
        f"{row['task']}, real-time factor {row['real_time_factor']:g}, {row['trials']} trials: "
        f"{row['seconds']:.3f} s per trial, of which {row['moving']:.3f} s motion and settling; "
        f"wall / moving {row['overhead']:.3f} (worst {row['overhead_worst']:.3f}); "
        f"{row['speed']:.1f} x real time; from in-process: median "
        f"{1e3 * row['distance_median']:.4f} mm, worst {1e3 * row['distance_worst']:.3f} mm"
    )
