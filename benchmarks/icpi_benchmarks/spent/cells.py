"""One instance of the benchmark of what runs spend: an improver with and without repeats.

Every trial has the true cost of its theta beside the cost that the noisy sensor showed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from icpi_benchmarks.attempts import AfterFirst
from icpi_benchmarks.contest.entrants import Entrant
from icpi_benchmarks.contest.play import SharedRollouts
from icpi_benchmarks.instances import Instance, draw_instance
from icpi_benchmarks.simulator import simulator
from icpi_benchmarks.threads import one_thread
from icpi_ros.core.errors import Refusal
from icpi_ros.core.types import Outcome, Trial
from icpi_ros.improvers.base import Improver
from icpi_ros.learn.dataset.dataset import empty, shipped
from icpi_ros.robots import ARMS
from icpi_ros.runs.run import Run
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import simulated_feasibility

Row = dict[str, Any]


@dataclass(frozen=True)
class SpentCells:
    """All cells of the benchmark; called with the number of a cell.

    Cell ``t * instances + n`` is instance n of task t, under all noises and for all entrants.

    Attributes:
        tasks: in order.
        instances: of each task.
        draws: ``test`` or ``train``.
        noises: standard deviations of the sensor [m].
        entrants: one improver with different options; all draw the same random numbers.
        trials: of every run, the first attempt included.
        seed: of instances, proposals and noise.
        examples: whether the improver has the shipped data set.
    """

    tasks: tuple[Task, ...]
    instances: int
    draws: str
    noises: tuple[float, ...]
    entrants: tuple[Entrant, ...]
    trials: int
    seed: int
    examples: bool

    def __call__(self, number: int) -> list[Row]:
        """Play one cell, single-threaded; return a row per noise, entrant and trial."""
        index, instance = divmod(number, self.instances)
        with one_thread():
            return self._play(self.tasks[index], instance)

    def _play(self, task: Task, number: int) -> list[Row]:
        arm = ARMS.get(task.arm)
        instance = draw_instance(
            task, self.draws, self.seed, number, simulated_feasibility(task, arm)
        )
        simulate = simulator(task, arm, instance.physics)
        data = shipped(task) if self.examples else empty(task)
        rows: list[Row] = []
        for noise in self.noises:
            bench = SharedRollouts(task, instance, noise, self.seed, simulate)
            for entrant in self.entrants:
                improver = entrant.build(task, arm, instance.goal, instance.physics, data)
                where = {"task": task.name, "noise": noise, "instance": number}
                found = self._run(task, instance, bench, improver)
                rows += [{**where, "improver": entrant.label, **row} for row in found]
        return rows

    def _run(
        self, task: Task, instance: Instance, bench: SharedRollouts, improver: Improver
    ) -> list[Row]:
        run = Run(
            task,
            goal=instance.goal,
            trials=self.trials,
            seed=self.seed,
            proposals=AfterFirst(improver, instance, self.seed),
        )
        costs: list[float] = []  # true, of the trials that are done
        rows: list[Row] = []
        for number in range(self.trials):
            trial = run.ask()
            (result,) = bench.execute([trial.theta], number)
            if isinstance(result, Refusal):
                run.skip(result.text)
            else:
                costs.append(result.cost)
                trial = run.tell(result.path)
            failed = isinstance(result, Refusal)
            row = _row(trial, run.history, costs, improver, failed)
            rows.append(row | {"trial": number})
        return rows


def _row(
    trial: Trial,
    history: Sequence[Outcome],
    costs: Sequence[float],
    improver: Improver,
    failed: bool,
) -> Row:
    """Return the row of a trial but for its number; None = it failed.

    Costs are true, but the one that was seen.
    """
    if not history:
        return {"cost": None}
    seen = [outcome.cost for outcome in history]
    answer = improver.recommend(history)
    return {
        "cost": None if failed else costs[-1],
        "seen": None if failed else trial.cost,
        "repeat": trial.proposal.is_repeat,
        "gain": trial.proposal.expected_gain,
        "noise_inferred": trial.proposal.trial_noise,
        "looked_best": costs[seen.index(min(seen))],
        "answer": costs[answer.index],
        "answer_expected": answer.expected_cost,
        "answer_noise": answer.noise,
    }
