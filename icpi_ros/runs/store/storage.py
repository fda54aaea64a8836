"""Storage of runs and trials: the interface, and the storage in memory."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace

import numpy as np

from icpi_ros.core.types import Array, Proposal, Trial, TrialStatus
from icpi_ros.learn.dataset.execution import UNKNOWN_EXECUTION, Execution
from icpi_ros.runs.store.records import (
    HALF_RUN,
    RunConfig,
    RunRecord,
    RunSummary,
    UnknownRun,
    new_id,
    origin_of,
    refuse_keys,
    unknown_run,
    utc_now,
)


class Storage(ABC):
    """Runs and their trials: in memory or in one SQLite file (``runs.store``).

    A run belongs to the storage that writes it from :meth:`create_run` or the first write on,
    until :meth:`release`.  What a method has written is there when it returns: a storage on disk
    has it durable by then.

    Every method of a storage on disk raises StoreError where the file cannot be read or written,
    and those that write RunInUse where another process writes that run.
    """

    @abstractmethod
    def create_run(self, config: RunConfig, execution: Execution = UNKNOWN_EXECUTION) -> str:
        """Store a new run and how it is executed; return its id.

        Raises:
            UsageError: an option holds a key.
        """

    @abstractmethod
    def run(self, run_id: str) -> RunRecord:
        """Return one stored run.

        Raises:
            UnknownRun: there is none with that id; the message names the latest ones.
        """

    @abstractmethod
    def runs(self) -> list[RunSummary]:
        """Return a summary of every run, the oldest first."""

    @abstractmethod
    def set_state(self, run_id: str, state: str, note: str = "") -> None:
        """Write whether a run is ``open``, ``finished``, ``failed`` or ``cancelled``, and why."""

    @abstractmethod
    def allow_mix(self, run_id: str, allowed: bool) -> None:
        """Write whether the next resume may mix arms or backends; only for that one."""

    @abstractmethod
    def note_mix(self, run_id: str, what: str) -> None:
        """Add a line about what was mixed to a run, and take the permission to mix back."""

    def begin_trial(
        self,
        run_id: str,
        number: int,
        theta: Array,
        proposal: Proposal,
        projected: bool,
        execution: Execution = UNKNOWN_EXECUTION,
    ) -> int:
        """Write that a trial starts, before anything moves; return its attempt, 1 at first.

        Raises:
            StoreError: the file cannot be written; nothing may move then.
            ValueError: theta is not finite, or the trial is done or another still running.
        """
        if not np.isfinite(theta).all():
            raise ValueError(f"theta of trial {number} is not finite: {theta}")
        return self._begin(run_id, Trial(number, theta.copy(), proposal, projected), execution)

    @abstractmethod
    def _begin(self, run_id: str, trial: Trial, execution: Execution) -> int:
        """Write that a trial with a finite theta starts; return its attempt."""

    @abstractmethod
    def finish_trial(self, run_id: str, trial: Trial) -> None:
        """Write what became of the running trial.

        Raises:
            StoreError: the file cannot be written; the trial stays as running, call again.
            ValueError: that trial is not running.
        """

    @abstractmethod
    def trials(self, run_id: str, all_attempts: bool = False) -> list[Trial]:
        """Return the trials of a run by number: the last attempt of each, or all of them."""

    @abstractmethod
    def executions(self, run_id: str) -> list[Execution]:
        """Return the way of execution of each attempt, in the order of :meth:`trials`."""

    @abstractmethod
    def mark_interrupted(self, run_id: str) -> list[int]:
        """Mark half-run trials of a run whose process died; return their numbers."""

    @abstractmethod
    def holds(self, run_id: str) -> bool:
        """Return whether a run belongs to this storage, that is, is being written."""

    @abstractmethod
    def release(self, run_id: str) -> None:
        """Let others write the run."""


@dataclass
class _Stored:
    """One run: its record, and every attempt with how it was executed, in order of time."""

    record: RunRecord
    attempts: list[tuple[Trial, Execution]] = field(default_factory=list)

    @property
    def ordered(self) -> list[tuple[Trial, Execution]]:
        return sorted(self.attempts, key=lambda attempt: attempt[0].number)


class MemoryStorage(Storage):
    """Storage of runs in memory; for one thread."""

    def __init__(self) -> None:
        self._runs: dict[str, _Stored] = {}
        self._held: set[str] = set()

    def __repr__(self) -> str:
        return f"MemoryStorage({len(self._runs)} runs)"

    def create_run(self, config: RunConfig, execution: Execution = UNKNOWN_EXECUTION) -> str:
        """See :class:`Storage`."""
        refuse_keys(config)
        run_id = new_id(config.task, self._runs.__contains__)
        self._runs[run_id] = _Stored(RunRecord(run_id, utc_now(), config, "open", "", execution))
        self._held.add(run_id)
        return run_id

    def run(self, run_id: str) -> RunRecord:
        """See :class:`Storage`."""
        return self._stored(run_id).record

    def runs(self) -> list[RunSummary]:
        """See :class:`Storage`."""
        return [_summary(stored) for stored in self._runs.values()]

    def set_state(self, run_id: str, state: str, note: str = "") -> None:
        """See :class:`Storage`."""
        stored = self._written(run_id)
        stored.record = replace(stored.record, state=state, note=note)

    def allow_mix(self, run_id: str, allowed: bool) -> None:
        """See :class:`Storage`."""
        stored = self._written(run_id)
        stored.record = replace(stored.record, may_mix=allowed)

    def note_mix(self, run_id: str, what: str) -> None:
        """See :class:`Storage`."""
        stored = self._written(run_id)
        mixed = "; ".join(filter(None, (stored.record.mixed, what)))
        stored.record = replace(stored.record, mixed=mixed, may_mix=False)

    def _begin(self, run_id: str, trial: Trial, execution: Execution) -> int:
        stored = self._written(run_id)
        before = [known for known, _ in stored.attempts if known.number == trial.number]
        for known in [t for t, _ in stored.attempts if t.status is TrialStatus.RUNNING] + before:
            if known.status in (TrialStatus.RUNNING, TrialStatus.DONE):
                raise ValueError(f"trial {known.number} of run {run_id} is {known.status}")
        origin = origin_of(run_id, stored.record.config, execution)
        stored.attempts.append((replace(trial, origin=origin), execution))
        return len(before) + 1

    def finish_trial(self, run_id: str, trial: Trial) -> None:
        """See :class:`Storage`."""
        attempts = self._written(run_id).attempts
        if attempts:
            running, execution = attempts[-1]
            if running.status is TrialStatus.RUNNING and running.number == trial.number:
                attempts[-1] = (trial, execution)
                return
        raise ValueError(f"trial {trial.number} of run {run_id} is not running")

    def trials(self, run_id: str, all_attempts: bool = False) -> list[Trial]:
        """See :class:`Storage`."""
        found = [trial for trial, _ in self._stored(run_id).ordered]
        return found if all_attempts else list({trial.number: trial for trial in found}.values())

    def executions(self, run_id: str) -> list[Execution]:
        """See :class:`Storage`."""
        return [execution for _, execution in self._stored(run_id).ordered]

    def mark_interrupted(self, run_id: str) -> list[int]:
        """See :class:`Storage`."""
        attempts = self._written(run_id).attempts
        found = []
        for index, (trial, execution) in enumerate(attempts):
            if trial.status is TrialStatus.RUNNING:
                ended = replace(trial, status=TrialStatus.INTERRUPTED, note=HALF_RUN)
                attempts[index] = (ended, execution)
                found.append(trial.number)
        return found

    def holds(self, run_id: str) -> bool:
        """See :class:`Storage`."""
        return run_id in self._held

    def release(self, run_id: str) -> None:
        """See :class:`Storage`."""
        self._held.discard(run_id)

    def _stored(self, run_id: str) -> _Stored:
        if run_id not in self._runs:
            raise UnknownRun(unknown_run(run_id, "memory", list(self._runs)[-5:][::-1]))
        return self._runs[run_id]

    def _written(self, run_id: str) -> _Stored:
        stored = self._stored(run_id)
        self._held.add(run_id)
        return stored


def _summary(stored: _Stored) -> RunSummary:
    record, config = stored.record, stored.record.config
    done = [trial for trial, _ in stored.attempts if trial.status is TrialStatus.DONE]
    return RunSummary(
        run_id=record.run_id,
        created=record.created,
        task=config.task,
        improver=config.improver,
        budget=config.budget,
        trials=len({trial.number for trial in done}),
        best_cost=min((trial.cost for trial in done), default=float("nan")),
        state=record.state,
        execution=record.execution,
        mixed=record.mixed,
        note=record.note,
    )
