"""One cell of a benchmark's work: an instance of a task under a condition, in any process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from icpi_benchmarks.contest.conditions import Condition
from icpi_benchmarks.contest.entrants import Entrant
from icpi_benchmarks.contest.plan import all_versions
from icpi_benchmarks.contest.play import ContestRules, Row, SharedRollouts, play
from icpi_benchmarks.contest.shared_simulator import shared_simulator
from icpi_benchmarks.instances import Instance, draw_instance, drifting_physics
from icpi_benchmarks.simulator import simulator
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import simulated_feasibility


@dataclass(frozen=True)
class CellResult:
    """Result of one cell, JSON-able.

    Attributes:
        instance: its entry in the results.
        rows: by improver, then by trial.
        rollouts: number of simulated trials; what oracles simulate inside is not counted.
        versions: of who did it.
    """

    instance: dict[str, Any]
    rows: list[Row]
    rollouts: int
    versions: Mapping[str, str]


@dataclass(frozen=True)
class TaskCells:
    """All cells of one task; called with the number of a cell.

    Cell ``c * instances + n`` is instance n under condition c.  A cell depends on nothing but
    this and its number.

    Attributes:
        task: of all cells.
        arm: that executes them.
        conditions: in order.
        instances: per condition.
        entrants: who takes part.
        datasets: one per condition.
        rules: seed, trials, time limit.
    """

    task: Task
    arm: Arm
    conditions: tuple[Condition, ...]
    instances: int
    entrants: tuple[Entrant, ...]
    datasets: tuple[Dataset, ...]
    rules: ContestRules

    def __call__(self, number: int) -> CellResult:
        """Play one cell, single-threaded."""
        import scipy.linalg  # noqa: F401  before the limit, which acts on what is loaded
        from threadpoolctl import threadpool_limits

        index, instance = divmod(number, self.instances)
        with threadpool_limits(1):
            return self._play(self.conditions[index], self.datasets[index], instance)

    def _play(self, condition: Condition, dataset: Dataset, number: int) -> CellResult:
        why_not = simulated_feasibility(self.task, self.arm)
        instance = draw_instance(self.task, condition.draws, self.rules.seed, number, why_not)
        simulate = shared_simulator(self.task, self.arm, instance.physics)
        walk = self._walk(condition, instance)
        later = [simulator(self.task, self.arm, physics) for physics in walk[1:]]
        bench = SharedRollouts(
            self.task, instance, condition.noise, self.rules.seed, simulate, later
        )
        playing = condition.players([entrant.label for entrant in self.entrants])
        who = [entrant for entrant in self.entrants if entrant.label in playing]
        rows = play(self.task, self.arm, condition, instance, who, dataset, self.rules, bench)
        entry = {
            "task": self.task.name,
            "condition": condition.name,
            "instance": number,
            "physics": instance.physics.tolist(),
            "goal": instance.goal.tolist(),
            "theta": instance.theta.tolist(),
            **({"walk": [physics.tolist() for physics in walk]} if walk else {}),
        }
        return CellResult(entry, rows, bench.simulated, dict(all_versions()))

    def _walk(self, condition: Condition, instance: Instance) -> tuple[Array, ...]:
        """Return the physics of every trial where they drift; () = they stay."""
        if condition.drift <= 0.0:
            return ()
        rules = self.rules
        return drifting_physics(self.task, instance, condition.drift, rules.seed, rules.trials)
