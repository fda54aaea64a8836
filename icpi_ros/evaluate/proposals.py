"""Proposals of an improver for recorded trials, from the same history and seed.

They are judged by solved instances: any two recorded trials of a run, the outcome of one as goal
of the other (ICPI, arXiv 2508.15021, "hindsight relabelling").  All trials of a run are of one
physics, so theta of trial b solves the goal that its own outcome reaches, exactly; errors of the
others to that goal are measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from icpi_ros.bags.parameters import RecordedSetup
from icpi_ros.core.errors import DatasetError, ObservationMissing
from icpi_ros.core.types import Array, Trial
from icpi_ros.evaluate.recorded_runs import RecordedRun
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Context
from icpi_ros.learn.building.hindsight import choose_pairs, outcome_goal
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.motion.limits_file import gate_of
from icpi_ros.robots import find_arm
from icpi_ros.runs.outcome import outcome
from icpi_ros.runs.proposals import Proposer, SeededProposals
from icpi_ros.runs.run import Run
from icpi_ros.runs.setup import find_examples
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import FeasibilityCheck, anything, feasibility_of

PAIRS = 12
"""Pairs (a, b) of a run that are used by default, besides one goal per recorded trial."""


@dataclass(frozen=True)
class SolvedInstance:
    """A history under the run's physics, a goal, and a theta that reaches it.

    Attributes:
        goal: ``(g,)`` what the outcome of ``solution`` reached.
        history: trials that an improver is shown, oldest first; errors are to ``goal``, measured.
        solution: the trial that reaches the goal.
    """

    goal: Array
    history: tuple[Trial, ...]
    solution: Trial


def solved_instances(
    task: Task, executed: Sequence[Trial], pairs: int = PAIRS, seed: int = 0
) -> list[SolvedInstance]:
    """Return one instance per trial (all before it are its history), then random pairs.

    Empty where the task does not determine which goal an outcome reaches.

    Args:
        task: of the trials.
        executed: the run's trials, by number.
        pairs: how many pairs (a, b) with trial a alone as history.
        seed: of their choice.
    """
    count = len(executed)
    try:
        goals = [outcome_goal(task, trial.path) for trial in executed]
    except (DatasetError, ObservationMissing):
        return []
    found = [_instance(task, executed[:b], goals[b], executed[b]) for b in range(1, count)]
    if count > 1 and pairs:
        rng = np.random.default_rng([seed, count])
        chosen = choose_pairs(count, pairs, rng).tolist()
        found += [_instance(task, [executed[a]], goals[b], executed[b]) for a, b in chosen]
    return found


def _instance(task: Task, shown: Sequence[Trial], goal: Array, solution: Trial) -> SolvedInstance:
    return SolvedInstance(goal, tuple(_seen_to(task, goal, trial) for trial in shown), solution)


def _seen_to(task: Task, goal: Array, trial: Trial) -> Trial:
    """Return a trial as it would have been in a run with that goal ``(g,)``."""
    found = outcome(task, goal, trial.theta, trial.path)
    return replace(trial, error=found.error, cost=found.cost)


@dataclass(frozen=True)
class OfflineProposal:
    """A proposal made offline.

    Attributes:
        trial: as it would have been begun: projected and within the largest step.
        same: True or False: it is, or is not, exactly what was executed; None = another improver
            was at work then, or a person.
        distance: from the executed theta, largest share of a parameter's range.
    """

    trial: Trial
    same: bool | None
    distance: float

    @property
    def number(self) -> int:
        """Number of the trial."""
        return self.trial.number

    @property
    def theta(self) -> Array:
        """Policy parameters ``(d,)`` of the trial."""
        return self.trial.theta


class RecordedRunProposer:
    """Proposer for the goals of one run; asks each improver as the loop would have done.

    Args:
        run: recorded.
        dataset: examples; None = the shipped set.
        options: of improvers that take them.

    Raises:
        UsageError: the arm or the limits of the recording are not here.
    """

    def __init__(
        self, run: RecordedRun, dataset: Dataset | None, options: Mapping[str, Any]
    ) -> None:
        self.run = run
        self._dataset, self._options = dataset, options
        setup = run.settings.setup
        self._possible = anything if setup.arm is None else _reach(run.task, setup)

    def begin(self, improver: str, goal: Array, trials: int, seed: int | None = None) -> Run:
        """Return a run in memory that asks an improver as the recorded run would have.

        Args:
            improver: registered name.
            goal: ``(g,)``; any that an outcome reached.
            trials: how many are taken into it; more proposals may follow.
            seed: None = that of the recorded run.

        Raises:
            UsageError: no such improver, or it refuses its options or data set.
        """
        task, settings = self.run.task, self.run.settings
        context = Context(
            space=task.space,
            goal=goal,
            cost_mask=task.cost_mask,
            dataset=find_examples(task, improver, self._dataset),
            options=IMPROVERS.get(improver).taken(self._options),
        )
        seed = settings.seed if seed is None else seed
        run = Run(
            task,
            improver=improver,
            goal=goal,
            trials=max(trials, 1),
            seed=seed,
            max_step=settings.setup.max_step,
            proposals=SeededProposals(Proposer(improver, context), seed),
        )
        run.why_not = self._possible
        return run

    def solution(self, improver: str, instance: SolvedInstance, seed: int) -> Array:
        """Return theta ``(d,)`` that an improver would have executed in a solved instance.

        Raises:
            UsageError: see :meth:`begin`.
            BudgetSpent: its model may cost no more.
        """
        count = len(instance.history)
        run = self.begin(improver, instance.goal, count, seed)
        for trial in instance.history:
            _take(run, trial)
        return run.preview(count).theta

    def proposals(self, improver: str) -> list[OfflineProposal]:
        """Return the improver's proposal for every recorded trial that has a history.

        Raises:
            UsageError: see :meth:`begin`.
            BudgetSpent: its model may cost no more.
        """
        run, found = (
            self.begin(improver, self.run.goal, len(self.run.done)),
            list[OfflineProposal](),
        )
        for recorded in self.run.trials:
            if (trial := recorded.seen) is None:
                continue
            if run.history:
                found.append(self._compared(run.preview(trial.number), trial))
            if trial.outcome is not None:
                _take(run, trial)
        return found

    def _compared(self, now: Trial, then: Trial) -> OfflineProposal:
        span = 2.0 * self.run.task.space.half_range
        distance = float(np.max(np.abs(now.theta - then.theta) / span))
        made = then.proposal.provenance, then.origin.improver
        asked = made == (now.proposal.provenance, now.origin.improver)
        return OfflineProposal(
            now, np.array_equal(now.theta, then.theta) if asked else None, distance
        )


def _take(run: Run, trial: Trial) -> None:
    """Add a trial with its error as it is known."""
    assert trial.error is not None  # of trials that were observed
    run.take(trial, trial.error)


def _reach(task: Task, setup: RecordedSetup) -> FeasibilityCheck:
    """Return which thetas the recorded arm cannot execute.

    Raises:
        UsageError: its description or its limits are not here.
    """
    arm = find_arm(setup.arm or task.arm)
    return feasibility_of(task, arm, gate_of(arm, setup.limits or ""))
