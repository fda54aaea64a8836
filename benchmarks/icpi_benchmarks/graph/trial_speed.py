"""Speed of trials through a graph, beside rollouts of the same trials in this process."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from icpi_benchmarks.graph.soak import node_pids
from icpi_ros.cli.arguments import arm_argument
from icpi_ros.cli.graph_run import START_LIMIT
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.core.types import Array, Trial
from icpi_ros.robots.base import Arm
from icpi_ros.ros.bringup.processes import BackgroundGraph
from icpi_ros.runs.store.store import TrialStore
from icpi_ros.sim.rollout import rollout
from icpi_ros.tasks.base import Task

BLOCK = 5
"""Trials through the graph between two looks at rollouts: what else runs slows down both."""
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class SpeedPlan:
    """Plan of a measurement: random trials of a task with an arm, at one real-time factor."""

    task: Task
    arm: Arm
    trials: int
    seed: int
    factor: float


@dataclass(frozen=True)
class Speed:
    """Measurements of ``N`` trials.

    Attributes:
        seconds: ``(N,)`` wall time through the graph, proposal and storage included [s].
        moving: ``(N,)`` motion and settling, simulated [s].
        distances: ``(N,)`` between the final positions of graph and rollout [m].
        rollout_seconds: ``(N,)`` wall time of the rollouts [s].
        rollout_moving: ``(N,)`` what they simulate, stroke and settling [s].
        processor: time of all nodes for all trials [s].
        rollout_processor: the same of the rollouts [s].
    """

    seconds: Array
    moving: Array
    distances: Array
    rollout_seconds: Array
    rollout_moving: Array
    processor: float
    rollout_processor: float

    @classmethod
    def joined(cls, parts: Sequence[Speed]) -> Speed:
        """Return the measurements of all blocks of trials."""
        names = ("seconds", "moving", "distances", "rollout_seconds", "rollout_moving")
        rows = {name: np.concatenate([getattr(part, name) for part in parts]) for name in names}
        processor = sum(part.processor for part in parts)
        return cls(
            **rows,
            processor=processor,
            rollout_processor=sum(part.rollout_processor for part in parts),
        )

    def figures(self) -> dict[str, float]:
        """Return what is reported; the ratios are those of sums over all trials."""
        wall = float(self.seconds.sum() / self.rollout_seconds.sum())
        overhead = self.seconds / self.moving
        return {
            "trials": len(self.seconds),
            "seconds": float(np.median(self.seconds)),
            "moving": float(np.median(self.moving)),
            "overhead": float(np.median(overhead)),
            "overhead_worst": float(np.max(overhead)),
            "speed": float(self.moving.sum() / self.seconds.sum()),
            "rollout_seconds": float(np.median(self.rollout_seconds)),
            "rollout_ratio": wall,
            "rollout_ratio_processor": self.processor / self.rollout_processor,
            "rollout_ratio_per_simulated_second": wall
            * float(self.rollout_moving.sum() / self.moving.sum()),
            "distance_median": float(np.median(self.distances)),
            "distance_worst": float(np.max(self.distances)),
        }


def measure(plan: SpeedPlan, folder: Path) -> Speed:
    """Return the measurements of a plan; store and log of the graph are in ``folder``.

    Raises:
        ExecutionFailed: the graph does not start, or a run does not end as it should.
    """
    from icpi_ros.ros.clients.improve_client import (
        Callbacks,
        ImproveClient,
        ImproveRequest,
    )  # needs ROS

    store, log = folder / f"{plan.factor:g}.sqlite", folder / f"{plan.factor:g}.log"
    physics = plan.task.seeded_physics(plan.seed)
    rollouts = SingleRollouts(plan.task, plan.arm, physics)
    given: dict[str, Any] = {
        "task": plan.task.name,
        "arm": arm_argument(plan.arm, plan.task),
        "improver": "random",
        "real_time_factor": plan.factor,
        "physics": ",".join(repr(float(value)) for value in physics),
        "store": store,
    }
    parts: list[Speed] = []
    with BackgroundGraph("sim", given, log) as graph, ImproveClient() as client:
        calls = Callbacks(death=lambda: None if graph.alive else graph.reason())
        client.connect(START_LIMIT, calls.death)
        pids = node_pids(log.read_text(encoding="utf-8")).values()
        for begin in range(0, plan.trials, BLOCK):
            count = min(BLOCK, plan.trials - begin)
            seed = plan.seed + begin
            request = ImproveRequest(plan.task.name, "random", budget=count, seed=seed)
            before = processor_time(pids)
            result = client.improve(request, calls)
            spent = processor_time(pids) - before
            if result.error_code:
                raise ExecutionFailed(f"after {result.trials} trials: {result.error_msg}")
            with TrialStore(store) as opened:
                trials = opened.trials(result.run_id)
            parts.append(replace(rollouts.beside(trials), processor=spent))
    return Speed.joined(parts)


class SingleRollouts:
    """Rollouts as a run in process makes them, one by one."""

    def __init__(self, task: Task, arm: Arm, physics: Array) -> None:
        """Make one that does not count: the first compiles and loads."""
        self._task, self._arm, self._physics = task, arm, physics
        middle = 0.5 * (task.space.lower + task.space.upper)
        rollout(task, arm, physics, middle[np.newaxis])

    def beside(self, trials: Sequence[Trial]) -> Speed:
        """Return measurements of trials and of rollouts of the same thetas."""
        walls, paths, begin = [], [], time.process_time()
        for trial in trials:
            started = time.perf_counter()
            found = rollout(self._task, self._arm, self._physics, trial.theta[np.newaxis])
            walls.append(time.perf_counter() - started)
            paths.append(found.trajectories[0])
        spent = time.process_time() - begin
        ends = [trial.trajectory.positions[-1] for trial in trials if trial.trajectory is not None]
        away = np.array([path.positions[-1] for path in paths]) - np.array(ends)
        return Speed(
            seconds=np.array([trial.seconds for trial in trials]),
            moving=np.array([trial.moving for trial in trials]),
            distances=np.linalg.norm(away, axis=1),
            rollout_seconds=np.array(walls),
            rollout_moving=np.array([path.times[-1] for path in paths]),
            processor=0.0,
            rollout_processor=spent,
        )


def processor_time(pids: Iterable[int]) -> float:
    """Return the processor time that processes have taken so far [s] (proc(5), stat)."""
    total = 0
    for pid in pids:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
        total += sum(int(value) for value in text.rpartition(")")[2].split()[11:13])
    return total / TICKS
