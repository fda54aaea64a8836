"""One improvement run on slide through the ROS graph: the main job, small."""

from __future__ import annotations

import argparse
from dataclasses import replace

from icpi_ros.cli.arguments import add_graph, add_store, whole

NEAR = 0.020
"""The demo has done its job when the puck stops this close to the goal [m]."""
TARGET = 0.002
"""The demo stops early at this cost [m]."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the demo lets one change."""
    parser.add_argument("--seed", type=whole(0, 2**62), default=1)
    add_store(parser)
    add_graph(parser)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 if the puck came within 20 mm of the goal."""
    from icpi_ros.cli import run as run_command
    from icpi_ros.data.store import TrialStore

    given = ["--task", "slide", "--seed", str(args.seed), "--target-cost", str(TARGET)]
    parser = argparse.ArgumentParser()
    run_command.add_arguments(parser)
    full = parser.parse_args(given, argparse.Namespace(**vars(args)))
    plan = run_command.make_plan(full)
    run_id = run_command.execute(full, plan)
    picture = plan.store.parent / f"{run_id}.png"
    code = run_command.report(replace(plan, picture=picture), run_id)
    with TrialStore(plan.store) as store:
        done = [trial.cost for trial in store.trials(run_id) if trial.outcome is not None]
    best = min(done, default=float("inf"))
    print(f"best: {1e3 * best:.1f} mm from the goal")
    return code if best <= NEAR else 1
