"""How far a run is: its trials, the best of them, and why it is not open any more."""

from __future__ import annotations

import numpy as np

from icpi_ros.data.records import RunConfig
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array, Outcome, Trial, TrialStatus


class Progress:
    """What can be read of a run.

    Attributes:
        run_id: id in the storage.
        task: what is being improved.
        config: what the run was asked to do.
        trials: last attempt of every trial so far, by number (not the one under way).
        state: ``open``, ``finished`` (budget used or target reached), ``failed``, ``cancelled``.
        reason: why it is not open any more, one line.
    """

    run_id: str
    task: Task
    config: RunConfig
    trials: list[Trial]
    state: str
    reason: str

    def __repr__(self) -> str:
        """Return one line: what is improved how, and how far it is."""
        best = f", best {1e3 * self.best.cost:.3g} mm" if self.best is not None else ""
        return (
            f"<Run {self.run_id}: {self.config.task} with {self.config.improver}, {self.state}, "
            f"{len(self.history)} of {self.config.budget} trials{best}>"
        )

    @property
    def goal(self) -> Array:
        """Goal ``(g,)`` of the run."""
        return np.array(self.config.goal, dtype=np.float64)

    @property
    def finished(self) -> bool:
        """True when there is no next trial: budget used, target reached, failed or cancelled."""
        return self.state != "open"

    @property
    def history(self) -> list[Outcome]:
        """What improvers may see: outcomes of the trials that are done, oldest first."""
        return [trial.outcome for trial in self.trials if trial.outcome is not None]

    @property
    def best(self) -> Trial | None:
        """The trial of lowest cost, None if none was observed."""
        done = [trial for trial in self.trials if trial.status is TrialStatus.DONE]
        return min(done, key=lambda trial: trial.cost, default=None)
