"""One improvement run on slide, through the ROS graph or in process: the main job, small."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from icpi_ros.cli import run as run_command
from icpi_ros.cli.options import use_it
from icpi_ros.cli.report_outputs import Outputs, write_stored_run
from icpi_ros.cli.run_report import report
from icpi_ros.core.types import Trial
from icpi_ros.core.units import millimetres
from icpi_ros.runs.store.store import TrialStore

NEAR = 0.020
"""The demo has done its job when the puck stops this close to the goal [m]."""
TARGET = 0.002
"""The demo stops early at this cost [m]."""
NEXT = (
    ("run --task rope-swing --seed 3", "another motion"),
    ("run --task slide --seed 1 --source camera", "the same from a camera's pixels alone"),
)
"""Commands to try after the demo, and what they do."""
NEXT_IN_PROCESS = (
    ("run --task rope-swing --seed 3 --in-process", "another motion"),
    ("task describe slide", "what there is to learn in it"),
)


def run(args: argparse.Namespace) -> int:
    """Run the demo; 0 if the puck came within 20 mm of the goal."""
    given = ["--task", "slide", "--seed", str(args.seed), "--target-cost", str(TARGET)]
    parser = argparse.ArgumentParser()
    use_it.run(parser)
    full = parser.parse_args(given, argparse.Namespace(**vars(args)))
    plan = run_command.make_plan(full)
    run_id = run_command.carried_out(full, plan)
    code = report(plan, run_id)
    with TrialStore(plan.store) as store:
        done = [trial for trial in store.trials(run_id) if trial.outcome is not None]
    print()
    print(verdict(done))
    write_stored_run(run_id, plan.store, Outputs(page=plan.store.parent / f"{run_id}.html"))
    print("next:")
    following = NEXT_IN_PROCESS if args.in_process else NEXT
    width = max(len(command) for command, _ in following)
    for command, what in following:
        print(f"  {sys.argv[0]} {command:<{width}}   # {what}")
    return code if min((trial.cost for trial in done), default=NEAR + 1) <= NEAR else 1


def verdict(trials: Sequence[Trial]) -> str:
    """Return one sentence on how the run went; ``trials`` are those with an outcome."""
    if not trials:
        return "No trial was seen to its end."
    best = min(trials, key=lambda trial: trial.cost)
    if best is trials[0]:
        miss = millimetres(best.cost)
        return f"The puck stopped {miss} from the goal, and not closer afterwards."
    tries = "try" if best.number == 1 else "tries"
    return (
        f"The first attempt missed the goal by {millimetres(trials[0].cost)}; after {best.number} "
        f"more {tries} the puck stopped {millimetres(best.cost)} from it."
    )
