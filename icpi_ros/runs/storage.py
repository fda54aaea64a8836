"""What a run needs of the place where it and its trials are stored."""

from __future__ import annotations

from typing import Protocol

from icpi_ros.core.types import Array, Proposal, Trial
from icpi_ros.learn.dataset.execution import NOT_TOLD, Execution
from icpi_ros.runs.store.records import RunConfig, RunRecord, RunSummary


class Storage(Protocol):
    """Runs and their trials: in memory (``runs.memory``) or in one SQLite file (``data.store``).

    A run belongs to the storage that writes it from :meth:`create_run` or the first write on,
    until :meth:`release`.  What a method has written is there when it returns: a storage on disk
    has it durable by then.
    """

    def create_run(self, config: RunConfig, execution: Execution = NOT_TOLD) -> str:
        """Store a new run and how it is executed; return its id.

        Raises:
            UsageError: an option holds a key.
        """

    def run(self, run_id: str) -> RunRecord:
        """Return one stored run.

        Raises:
            UnknownRun: there is none with that id; the message names the latest ones.
        """

    def runs(self) -> list[RunSummary]:
        """Return a summary of every run, the oldest first."""

    def set_state(self, run_id: str, state: str, note: str = "") -> None:
        """Write whether a run is ``open``, ``finished``, ``failed`` or ``cancelled``, and why."""

    def allow_mix(self, run_id: str, allowed: bool) -> None:
        """Write whether the next resume may mix arms or backends; only for that one."""

    def note_mix(self, run_id: str, what: str) -> None:
        """Add a line about what was mixed to a run, and take the permission to mix back."""

    def begin_trial(
        self,
        run_id: str,
        number: int,
        theta: Array,
        proposal: Proposal,
        projected: bool,
        execution: Execution = NOT_TOLD,
    ) -> int:
        """Write that a trial starts, before anything moves; return its attempt, 1 at first.

        Raises:
            ValueError: theta is not finite, or the trial is done or another still running.
        """

    def finish_trial(self, run_id: str, trial: Trial) -> None:
        """Write what became of the running trial.

        Raises:
            ValueError: that trial is not running.
        """

    def trials(self, run_id: str, all_attempts: bool = False) -> list[Trial]:
        """Return the trials of a run by number: the last attempt of each, or all of them."""

    def executions(self, run_id: str) -> list[Execution]:
        """Return how each attempt was executed, in the order of all attempts in :meth:`trials`."""

    def mark_interrupted(self, run_id: str) -> list[int]:
        """Mark half-run trials of a run whose process died; return their numbers."""

    def holds(self, run_id: str) -> bool:
        """Tell whether a run belongs to this storage, that is, somebody writes it."""

    def release(self, run_id: str) -> None:
        """Let others write the run."""
