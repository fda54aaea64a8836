"""Recorded trials once more: error, cost and the next proposal from what is seen now."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from icpi_ros.data.dataset import Dataset
from icpi_ros.data.records import RunConfig
from icpi_ros.errors import InvalidValue, ObservationMissing
from icpi_ros.feasible import Confinement
from icpi_ros.motion.step_limit import StepLimit
from icpi_ros.proposing import Proposer
from icpi_ros.run_setup import MAX_BUDGET, examples_hash, find_examples, make_proposer
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array, ObjectTrajectory, Outcome, Trial, TrialStatus


@dataclass(frozen=True)
class Settings:
    """What is asked of the improver: task, name, examples (None = shipped), seed, options, step."""

    task: Task
    improver: str
    dataset: Dataset | None = None
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    max_step: float = 1.0


class RederivedRun:
    """One recorded run, judged and continued with what is seen now; nothing is executed.

    After each trial the improver is asked as the loop asks it, with the same seed and number, so
    that the same history gives the same proposal.

    Args:
        settings: of the improver.
        goal: ``(g,)`` of the recorded run.

    Raises:
        UsageError: the goal is not one of the task, or the improver refuses its options or data.
    """

    def __init__(self, settings: Settings, goal: Array) -> None:
        """Build the improver."""
        self._settings, self._task = settings, settings.task
        self.goal = self._task.check_goal(goal)
        examples = find_examples(self._task, settings.improver, settings.dataset)
        config = RunConfig(
            task=self._task.name,
            improver=settings.improver,
            goal=tuple(self.goal.tolist()),
            budget=MAX_BUDGET,
            seed=settings.seed,
            options=dict(settings.options),
            dataset_hash=examples_hash(examples),
            max_step=settings.max_step,
        )
        self._proposer: Proposer = make_proposer(self._task, config, examples)
        self._confinement = Confinement(StepLimit(self._task.space, settings.max_step))
        self.history: list[Outcome] = []

    def outcome(self, theta: Array, trajectory: ObjectTrajectory) -> Outcome:
        """Add a trial to the history and return what came of it.

        Raises:
            ObservationMissing: the trajectory does not show what the task needs.
            InvalidValue: theta is none of the task.
        """
        if len(self.history) >= MAX_BUDGET:
            raise InvalidValue(f"the run has more than {MAX_BUDGET} trials")
        vector = self._task.space.as_vector(theta)
        error = self._task.error(trajectory, self.goal)
        cost = self._task.cost(error)
        if not (np.isfinite(error).all() and math.isfinite(cost)):
            raise ObservationMissing("error or cost is not finite")
        self.history.append(Outcome(vector, error, cost))
        return self.history[-1]

    def next(self, number: int) -> Trial:
        """Return trial ``number`` as it would be executed now: inside bounds and step limit.

        Raises:
            BudgetSpent: what may be spent on the model is used up.
        """
        proposal = self._proposer.propose(self.history, self._settings.seed, number)
        executed = [outcome.theta for outcome in self.history]
        confined = self._confinement.of(proposal.theta, executed)
        return Trial(number, confined.theta, proposal, confined.moved, best_cost=self.best_cost)

    @property
    def best_cost(self) -> float:
        """Lowest cost so far [m]; NaN if there is none."""
        return min((outcome.cost for outcome in self.history), default=math.nan)

    def done(self, recorded: Trial, outcome: Outcome, trajectory: ObjectTrajectory) -> Trial:
        """Return a recorded trial with what is seen now in the place of what was seen then."""
        return Trial(
            number=recorded.number,
            theta=outcome.theta,
            proposal=recorded.proposal,
            projected=recorded.projected,
            status=TrialStatus.DONE,
            error=outcome.error,
            cost=outcome.cost,
            best_cost=self.best_cost,
            trajectory=trajectory,
            note="seen again in a replay",
        )
