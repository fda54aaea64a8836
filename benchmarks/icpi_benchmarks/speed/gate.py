"""Time of the safety gate's checks, length of stops, and refusals of valid motions.

python -m icpi_benchmarks.speed.gate [--trials 100] [--seed 0]
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from icpi_benchmarks.program import run_program
from icpi_ros.cli.arguments import whole
from icpi_ros.cli.json_output import kept
from icpi_ros.core.errors import Kind, MotionRefused
from icpi_ros.core.types import Array
from icpi_ros.core.units import times
from icpi_ros.motion.primitives import point_to_point
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.stop import controlled_stop
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import Arm
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

LEAD = 0.01
"""Time from the request until a stop takes over [s]."""
STOPS = 3
"""Stops of every motion, at random times."""


@dataclass
class Tally:
    """Times of one task [s]: per check of a strike or slow move, per stop, and of the braking."""

    strokes: list[float] = field(default_factory=list)
    moves: list[float] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    braking: list[float] = field(default_factory=list)
    refused_motions: Counter[Kind] = field(default_factory=Counter)
    refused_stops: Counter[Kind] = field(default_factory=Counter)


def measure(task: Task, arm: Arm, trials: int, rng: np.random.Generator) -> Tally:
    """Check all motions of ``trials`` random trials of a task, and stops of them."""
    gate, tally = SafetyGate(arm), Tally()
    for theta in task.space.sample(rng, trials):
        for i, motion in enumerate(_motions(task, arm, theta, rng.uniform(0.1, 0.95))):
            begin = time.perf_counter()
            try:
                gate.check(motion, motion.positions[0])
            except MotionRefused as exc:
                tally.refused_motions[exc.refusal.kind] += 1
                continue
            (tally.moves if i else tally.strokes).append(time.perf_counter() - begin)
            for elapsed in rng.uniform(0.0, motion.duration, STOPS).tolist():
                _stop(gate, motion, elapsed, tally)
    return tally


def _motions(task: Task, arm: Arm, theta: Array, scale: float) -> Iterator[JointTrajectory]:
    motion = task.motion(theta, arm)
    yield motion.trajectory
    yield point_to_point(arm, arm.home, motion.ready, scale)
    yield point_to_point(arm, motion.ready, motion.start, scale, dwell=0.3)
    yield point_to_point(arm, motion.trajectory.positions[-1], motion.ready, scale)


def _stop(gate: SafetyGate, motion: JointTrajectory, elapsed: float, tally: Tally) -> None:
    begin = time.perf_counter()
    stop = controlled_stop(motion, elapsed, gate.limits, LEAD)
    try:
        gate.check_stop(stop, motion.at(elapsed + LEAD))
    except MotionRefused as exc:
        tally.refused_stops[exc.refusal.kind] += 1
    tally.stops.append(time.perf_counter() - begin)
    tally.braking.append(stop.duration)


def _line(name: str, tally: Tally) -> str:
    def in_unit(values: list[float], unit: float) -> str:
        found = times(values)
        return f"{found['median'] / unit:7.1f} {found['p99'] / unit:7.1f}"

    refused = f"{tally.refused_motions.total():3d} {tally.refused_stops.total():3d}"
    kinds = tally.refused_motions + tally.refused_stops
    why = "".join(f"  {count} x {kind}" for kind, count in kinds.most_common())
    costs = [in_unit(values, 1e-3) for values in (tally.strokes, tally.moves, tally.stops)]
    longest = f"{1e3 * np.median(tally.braking):5.0f} {1e3 * max(tally.braking):5.0f}"
    counts = f"{len(tally.strokes) + len(tally.moves):6d} {len(tally.stops):6d}"
    return f"{name:14s} {counts}  {refused}  {'  '.join(costs)}  {longest}{why}"


def _row(name: str, tally: Tally) -> dict[str, Any]:
    timed = ("strokes", "moves", "stops", "braking")
    refused = {"motions": tally.refused_motions, "stops": tally.refused_stops}
    return {
        "task": name,
        **{each: times(getattr(tally, each)) for each in timed if getattr(tally, each)},
        "refused": {
            of: {kind.value: n for kind, n in some.items()} for of, some in refused.items()
        },
    }


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the number of trials and the seed."""
    parser.add_argument("--trials", type=whole(1, 1_000_000), default=100, help="per task")
    parser.add_argument("--seed", type=whole(0, 2**62), default=0)


def run(args: argparse.Namespace) -> int:
    """Print one line per task."""
    print("ms: median and 99th percentile; braking: median and longest")
    print(
        "task          motions  stops  refused  check a stroke   check a move     "
        "plan+check a stop  braking"
    )
    rng = np.random.default_rng(args.seed)
    with kept(args.json, list[dict[str, Any]]()) as rows:
        for name in TASKS.built_in:
            task = TASKS.get(name)
            tally = measure(task, ARMS.get(task.arm), args.trials, rng)
            rows.append(_row(name, tally))
            print(_line(name, tally), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(run_program(sys.modules[__name__]))
