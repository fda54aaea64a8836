"""The command `icpi calibrate physics`: hidden physics from recorded trials."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

import numpy as np

from icpi_ros.cli.arguments import (
    arm_argument,
    checked_output,
    checked_picture,
    opened_store,
    same_arm,
)
from icpi_ros.cli.bags import refuse_inside
from icpi_ros.cli.calibrate_report import now
from icpi_ros.cli.dataset import build_shown
from icpi_ros.cli.progress import progress_bar
from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable
from icpi_ros.evaluate.physics.estimate import PhysicsEstimate, estimate_of
from icpi_ros.evaluate.physics.fit import FitEffort, fit
from icpi_ros.evaluate.physics.physics_file import save
from icpi_ros.evaluate.physics.recorded_trials import CalibrationTrials, from_bag, from_store
from icpi_ros.learn.building.plan import DatasetPlan
from icpi_ros.learn.building.workers import Workers
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.report.physics import physics_json, physics_lines, save_physics_picture
from icpi_ros.report.picture import FORMATS
from icpi_ros.robots.base import Arm
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks.base import Task


def calibrate_physics(args: argparse.Namespace) -> int:
    """Read the trials, estimate, write, say how sure it is."""
    _check(args)
    recording = _recording(args)
    for line in recording.left_out:
        print(f"icpi: left out: {printable(line)}", file=sys.stderr)
    task, trials = recording.task, recording.trials
    arm = same_arm(args.arm, task, recording.arms, recording.source, args.mix)
    with_arm = "" if arm.name == task.arm else f" with {arm.name}"
    what = f"{task.name}{with_arm}, {recording.source}: {len(trials)} trials"
    print(printable(what), flush=True)
    with progress_bar(FitEffort().stages, "stage") as bar:

        def advance() -> None:
            bar.update()

        found = fit(task, arm, trials, args.seed, threads=args.threads, on_stage=advance)
    estimate = estimate_of(task, trials, found)
    _report(args, recording, arm, estimate)
    if args.build_dataset:
        return _build(args.build_dataset, task, arm, estimate)
    return 0


def _check(args: argparse.Namespace) -> None:
    """Refuse what cannot be done, before any work."""
    if not args.bag and not args.run_id:
        raise UsageError("nothing to calibrate from: give a BAG, or --run RUN of the trial store")
    if args.bag and args.store:
        raise UsageError("--store is for --run without a bag: leave one of them out")
    if args.picture:
        checked_picture(args.picture, FORMATS)
    wanted = (args.out, args.picture, args.build_dataset)
    outputs = [checked_output(path) for path in wanted if path]
    outputs += [args.json.path] if args.json and args.json.path else []
    if args.bag:
        refuse_inside(args.bag, outputs)


def _recording(args: argparse.Namespace) -> CalibrationTrials:
    if args.bag:
        return from_bag(args.bag, args.task or None, args.run_id or None, args.trials)
    with opened_store(args.store) as store:
        return from_store(store, args.run_id, args.task or None, args.trials, args.mix)


def _report(
    args: argparse.Namespace, recording: CalibrationTrials, arm: Arm, estimate: PhysicsEstimate
) -> None:
    mixed = [str(one) for one in recording.arms if one.differs(ArmId.of(arm))]
    others = f"; mixed on purpose with trials of {' and '.join(mixed)}" if mixed else ""
    for line in physics_lines(estimate, recording.task):
        print(line)
    if others:
        print(f"note: simulated with {ArmId.of(arm)}{others}")
    if args.json:
        more = {"left_out": list(recording.left_out), "arm": str(ArmId.of(arm)), "mixed": mixed}
        args.json.write(physics_json(estimate) | more)
    if args.picture:
        _draw(args.picture, recording, arm, estimate)
    numbers = ",".join(f"{value:.6g}" for value in estimate.belief.mean)
    task, other = recording.task, arm_argument(arm, recording.task)
    with_arm = f" arm:={shlex.quote(other)}" if other else ""
    print(f"simulate it: icpi up sim task:={task.name}{with_arm} physics:={numbers}")
    if args.out:
        how = (
            f"icpi calibrate physics: {recording.source}, {len(recording.trials)} trials, "
            f"simulated with {ArmId.of(arm)}{others}"
        )
        save(args.out, estimate, how, now())
        with_arm = f" --arm {shlex.quote(other)}" if other else ""
        file = shlex.quote(str(args.out))
        build = f"icpi dataset build --task {task.name}{with_arm} --physics-file {file} --out FILE"
        print(f"written: {args.out}; next: {build}")


def _draw(path: Path, recording: CalibrationTrials, arm: Arm, estimate: PhysicsEstimate) -> None:
    task, trials = recording.task, recording.trials
    thetas = np.stack([trial.theta for trial in trials])
    made = rollout(task, arm, np.array(estimate.belief.mean), thetas)
    save_physics_picture(path, task, trials, made.trajectories, estimate)
    print(f"picture: {path.absolute()}")


def _build(out: Path, task: Task, arm: Arm, estimate: PhysicsEstimate) -> int:
    workers = Workers(len(os.sched_getaffinity(0)))
    dataset = build_shown(task, arm, DatasetPlan(around=estimate.belief), out, workers, threads=1)
    print(f"{len(dataset)} examples of {task.name} around the estimate: {out}")
    return 0
