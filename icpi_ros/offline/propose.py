"""What an improver would have proposed for a recorded trial, from the same history and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_ros.arms import find_arm
from icpi_ros.data.bags.parameters import RecordedSetup
from icpi_ros.data.dataset import Dataset
from icpi_ros.feasible import Confinement, WhyNot, anything, reach_of
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Context
from icpi_ros.motion.limits_file import gate_of
from icpi_ros.motion.step_limit import StepLimit
from icpi_ros.offline.runs import RecordedRun
from icpi_ros.proposing import Proposer
from icpi_ros.run_setup import find_examples
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array, Outcome, Proposal


@dataclass(frozen=True)
class Proposed:
    """A proposal made offline.

    Attributes:
        number: of the trial it is for.
        theta: ``(d,)`` as it would have been executed: projected and within the largest step.
        proposal: as the improver made it.
        same: True or False: it is, or is not, exactly what was executed; None = another improver
            was at work then, or a person.
        distance: from the executed theta, largest share of a parameter's range.
    """

    number: int
    theta: Array
    proposal: Proposal
    same: bool | None
    distance: float


class Bench:
    """Improvers for the goals of one run; each proposes as the loop would have asked it.

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
        """Build nothing yet."""
        self.run = run
        self._dataset, self._options = dataset, options
        setup = run.settings.setup
        possible = anything if setup.arm is None else _reach(run.task, setup)
        self._confinement = Confinement(StepLimit(run.task.space, setup.max_step), possible)

    def proposer(self, improver: str, goal: Array) -> Proposer:
        """Return the asked improver for one goal ``(g,)``.

        Raises:
            UsageError: no such improver, or it refuses its options or data set.
        """
        task = self.run.task
        context = Context(
            space=task.space,
            goal=goal,
            cost_mask=task.cost_mask,
            dataset=find_examples(task, improver, self._dataset),
            options=IMPROVERS.get(improver).taken(self._options),
        )
        return Proposer(improver, context)

    def ask(
        self, proposer: Proposer, history: Sequence[Outcome], number: int, seed: int | None = None
    ) -> tuple[Array, Proposal]:
        """Return theta ``(d,)`` as the loop would execute it, and the proposal behind it.

        Args:
            proposer: of this run and some goal.
            history: what it is told, oldest first.
            number: of the trial that it proposes.
            seed: None = that of the run.
        """
        proposal = proposer.propose(
            history, self.run.settings.seed if seed is None else seed, number
        )
        executed = [outcome.theta for outcome in history]
        return self._confinement.of(proposal.theta, executed).theta, proposal

    def proposals(self, improver: str) -> list[Proposed]:
        """Return the improver's proposal for every recorded trial that has a history.

        Raises:
            UsageError: see :meth:`proposer`.
            BudgetSpent: its model may cost no more.
        """
        proposer, found = self.proposer(improver, self.run.goal), []
        for trial in self.run.trials:
            history = self.run.history(trial.number)
            if trial.trial is None or not history:
                continue
            theta, proposal = self.ask(proposer, history, trial.number)
            span = 2.0 * self.run.task.space.half_range
            distance = float(np.max(np.abs(theta - trial.trial.theta) / span))
            then = trial.trial.proposal.provenance
            asked = improver == trial.requested and then == proposal.provenance
            same = np.array_equal(theta, trial.trial.theta) if asked else None
            found.append(Proposed(trial.number, theta, proposal, same, distance))
        return found


def _reach(task: Task, setup: RecordedSetup) -> WhyNot:
    """Return which thetas the recorded arm cannot execute.

    Raises:
        UsageError: its description or its limits are not here.
    """
    arm = find_arm(setup.arm or task.arm)
    return reach_of(task, arm, gate_of(arm, setup.limits))
