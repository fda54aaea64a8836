"""The trial store: every run and trial on disk, in one SQLite file.

A trial on a real robot cannot be had again, so a finished trial must survive a power cut and a
``kill -9``: the journal is a write-ahead log (readers never block the writer) with
``synchronous=FULL``, that is, one fsync per commit.  With the common WAL setting NORMAL the last
commits can be lost at a power cut.  The fsync costs milliseconds, a trial seconds.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from icpi_ros.core.errors import StoreError
from icpi_ros.core.redact import watch
from icpi_ros.core.types import Trial, TrialOrigin, TrialStatus
from icpi_ros.learn.dataset.execution import UNKNOWN_EXECUTION, Execution, execution_from_json
from icpi_ros.runs.store.database import Database
from icpi_ros.runs.store.lease import Lease, RunInUse, lease_holder
from icpi_ros.runs.store.overview import RunOverview, read_marks, read_overviews
from icpi_ros.runs.store.records import (
    HALF_RUN,
    RunConfig,
    RunRecord,
    RunSummary,
    UnknownRun,
    config_from_json,
    new_id,
    origin_of,
    refuse_keys,
    unknown_run,
    utc_now,
)
from icpi_ros.runs.store.rows import begin_row, finish_row, trial_from_row
from icpi_ros.runs.store.storage import Storage

__all__ = [
    "RunConfig",
    "RunInUse",
    "RunRecord",
    "RunSummary",
    "TrialStore",
    "UnknownRun",
    "default_path",
]


def default_path() -> Path:
    """Return the default path of the trial store.

    ``$ICPI_STORE``, else ``$XDG_DATA_HOME/icpi/trials.sqlite``, else
    ``~/.local/share/icpi/trials.sqlite`` (XDG base directory specification: a relative
    ``XDG_DATA_HOME`` does not count).
    """
    if chosen := os.environ.get("ICPI_STORE"):
        return Path(chosen).expanduser()
    data = Path(os.environ.get("XDG_DATA_HOME", ""))
    return (data if data.is_absolute() else Path.home() / ".local/share") / "icpi/trials.sqlite"


class TrialStore(Storage):
    """Runs and their trials in one file; safe to use from several threads.

    Processes may share a file: each writes its own runs and waits for the others' commits.  A
    run belongs to the store that writes it (a lease) until :meth:`release` or :meth:`close`.

    Args:
        path: the file; made, with its directory, if it is not there.  None = `default_path()`.
        timeout: longest wait for another process's write [s].
        reading: nothing will be written: a store that cannot be (a read-only file system, another
            user's) is read from a copy, which follows it.

    Raises:
        StoreError: read-only, damaged, made by a newer version, or locked for too long; see
            :class:`Storage` for the rest.
    """

    def __init__(
        self, path: str | Path | None = None, timeout: float = 10.0, reading: bool = False
    ) -> None:
        """Open the file; an empty or an older one is brought up to the current schema."""
        self.path = Path(path).absolute() if path is not None else default_path().absolute()
        self._database = Database(self.path, timeout, reading)
        self._lock = threading.RLock()
        self._leases: dict[str, Lease] = {}

    # --- runs -------------------------------------------------------------------------------

    def create_run(self, config: RunConfig, execution: Execution = UNKNOWN_EXECUTION) -> str:
        """Store a new run and how it is executed, take its lease and return its id."""
        refuse_keys(config)
        text = json.dumps(config.as_dict(), sort_keys=True)
        with self._database.transaction("store the run") as db:
            run_id = new_id(config.task, partial(_taken, db))
            db.execute(
                "INSERT INTO runs (run_id, created, task, improver, budget, config, execution)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    *(run_id, utc_now(), config.task, config.improver, config.budget, text),
                    execution.to_json(),
                ),
            )
        self.lease(run_id)
        return run_id

    def run(self, run_id: str) -> RunRecord:
        """Return one stored run."""
        with self._database.guard("read the run") as db:
            row = db.execute("SELECT * FROM runs WHERE run_id = ?", (run_id,)).fetchone()
            if row is None:
                raise UnknownRun(self._unknown(db, run_id))
            try:
                config = config_from_json(row["config"])
                execution = execution_from_json(row["execution"])
            except ValueError as exc:
                raise StoreError(
                    f"the configuration of run {run_id} in {self.path} is damaged or of a newer "
                    f"icpi_ros ({exc}): upgrade, or start a new run"
                ) from exc
            return RunRecord(
                *(run_id, row["created"], config, row["state"], row["note"]),
                execution,
                row["mixed"],
                bool(row["may_mix"]),
            )

    def runs(self) -> list[RunSummary]:
        """Return a summary of every run, the oldest first."""
        query = """
            SELECT r.run_id, r.created, r.task, r.improver, r.budget, r.state, r.note, r.execution,
                   r.mixed, COUNT(DISTINCT t.number) AS trials, MIN(t.cost) AS best
            FROM runs r LEFT JOIN trials t ON t.run_id = r.run_id AND t.status = 'done'
            GROUP BY r.run_id ORDER BY r.created, r.run_id
        """
        with self._database.guard("list the runs") as db:
            return [
                RunSummary(
                    run_id=row["run_id"],
                    created=row["created"],
                    task=row["task"],
                    improver=row["improver"],
                    budget=row["budget"],
                    trials=row["trials"],
                    best_cost=float("nan") if row["best"] is None else row["best"],
                    state=row["state"],
                    execution=self._readable(row["run_id"], row["execution"]),
                    mixed=row["mixed"],
                    note=row["note"],
                )
                for row in db.execute(query)
            ]

    def marks(self) -> dict[str, int]:
        """Return a number by id for every run, the newest first, that changes with its overview."""
        with self._database.guard("list the runs") as db:
            return read_marks(db)

    def overviews(self, run_ids: Sequence[str]) -> dict[str, RunOverview]:
        """Return runs with their costs by id; one that is damaged, too."""
        with self._database.guard("list the runs") as db:
            return read_overviews(db, run_ids)

    def writes_of_others(self) -> int:
        """Return a number that changes when another process has written to the file."""
        return self._database.writes_of_others("list the runs")

    def writer(self, run_id: str) -> int | None:
        """Return the process that writes a run now; None = none of this machine."""
        return lease_holder(self.path, run_id)

    def set_state(self, run_id: str, state: str, note: str = "") -> None:
        """Write ``open``, ``finished``, ``failed`` or ``cancelled``, and the reason."""
        self.lease(run_id)
        with self._database.transaction("store the end of the run") as db:
            db.execute(
                "UPDATE runs SET state = ?, note = ? WHERE run_id = ?", (state, note, run_id)
            )

    def allow_mix(self, run_id: str, allowed: bool) -> None:
        """Allow or forbid the next resume, and only that one, to mix arms or backends."""
        self.lease(run_id)
        with self._database.transaction("store what may be mixed") as db:
            db.execute("UPDATE runs SET may_mix = ? WHERE run_id = ?", (int(allowed), run_id))

    def note_mix(self, run_id: str, what: str) -> None:
        """Add a line about what was mixed to a run, and take the permission to mix back."""
        self.lease(run_id)
        mixed = "; ".join(filter(None, (self.run(run_id).mixed, what)))
        with self._database.transaction("store what was mixed") as db:
            db.execute("UPDATE runs SET mixed = ?, may_mix = 0 WHERE run_id = ?", (mixed, run_id))

    def delete_run(self, run_id: str) -> None:
        """Delete a run and its trials for good, and release its lease.

        Raises:
            UnknownRun: there is none with that id.
            RunInUse: another process writes this run.
        """
        self.lease(run_id)
        with self._database.transaction("delete the run") as db:
            db.execute("DELETE FROM trials WHERE run_id = ?", (run_id,))
            db.execute("DELETE FROM runs WHERE run_id = ?", (run_id,))
        self.release(run_id)

    # --- trials -----------------------------------------------------------------------------

    def _begin(self, run_id: str, trial: Trial, execution: Execution) -> int:
        self.lease(run_id)
        row = begin_row(trial, execution)
        with self._database.transaction("store the start of the trial") as db:
            row |= {"run_id": run_id, "number": trial.number}
            row["attempt"] = self._next_attempt(db, run_id, trial.number)
            marks = ", ".join(f":{name}" for name in row)
            db.execute(f"INSERT INTO trials ({', '.join(row)}) VALUES ({marks})", row)
        return int(row["attempt"])

    def finish_trial(self, run_id: str, trial: Trial) -> None:
        """Write what became of the running trial; it is durable when this returns."""
        self.lease(run_id)
        row = finish_row(trial)
        sets = ", ".join(f"{name} = :{name}" for name in row)
        where = "run_id = :run_id AND number = :number AND status = 'running'"
        with self._database.transaction("store the trial") as db:
            changed = db.execute(
                f"UPDATE trials SET {sets} WHERE {where}",
                row | {"run_id": run_id, "number": trial.number},
            )
            if changed.rowcount != 1:
                raise ValueError(f"trial {trial.number} of run {run_id} is not running")

    def trials(self, run_id: str, all_attempts: bool = False) -> list[Trial]:
        """Return the trials of a run by number: the last attempt of each, or all of them."""
        query = "SELECT * FROM trials WHERE run_id = ? ORDER BY number, attempt"
        with self._database.guard("read the trials") as db:
            rows = db.execute(query, (run_id,)).fetchall()
        try:
            origin = self._origins(run_id)
            found = [trial_from_row(row, origin(row["execution"])) for row in rows]
        except ValueError as exc:
            raise StoreError(f"a trial of run {run_id} in {self.path} is damaged: {exc}") from exc
        return found if all_attempts else list({t.number: t for t in found}.values())

    def executions(self, run_id: str) -> list[Execution]:
        """Return the way of execution of each attempt, in the order of :meth:`trials`."""
        query = "SELECT execution FROM trials WHERE run_id = ? ORDER BY number, attempt"
        with self._database.guard("read the trials") as db:
            rows = db.execute(query, (run_id,)).fetchall()
        return [self._execution(run_id, row["execution"]) for row in rows]

    def mark_interrupted(self, run_id: str) -> list[int]:
        """Mark half-run trials of a run whose process died; return their numbers."""
        self.lease(run_id)
        with self._database.transaction("mark half-run trials") as db:
            rows = db.execute(
                "UPDATE trials SET status = ?, finished = ?, note = ?"
                " WHERE run_id = ? AND status = ? RETURNING number",
                (
                    TrialStatus.INTERRUPTED.value,
                    utc_now(),
                    HALF_RUN,
                    run_id,
                    TrialStatus.RUNNING.value,
                ),
            ).fetchall()
        return sorted(row["number"] for row in rows)

    # --- leases and life cycle --------------------------------------------------------------

    def lease(self, run_id: str) -> None:
        """Take the exclusive right to write a run; nothing happens if this store has it.

        Raises:
            RunInUse: another process has it.
        """
        with self._lock:
            if run_id not in self._leases:
                watch(self.run(run_id).config.options.get("key_variable"))
                self._leases[run_id] = Lease(self.path, run_id)

    def holds(self, run_id: str) -> bool:
        """Return whether this store has the lease of a run."""
        with self._lock:
            return run_id in self._leases

    def release(self, run_id: str) -> None:
        """Let others write the run."""
        with self._lock:
            if run_id in self._leases:
                self._leases.pop(run_id).release()

    def close(self) -> None:
        """Release all leases and close the file; closing twice is allowed."""
        with self._lock:
            for run_id in list(self._leases):
                self.release(run_id)
            self._database.close()

    def __enter__(self) -> TrialStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # --- inside -----------------------------------------------------------------------------

    def _origins(self, run_id: str) -> Callable[[str], TrialOrigin]:
        """Return a function from a stored way of execution to a trial's provenance.

        Trials of a run whose configuration is damaged can be read all the same.
        """
        try:
            config = self.run(run_id).config
        except (StoreError, UnknownRun):
            return lambda text: TrialOrigin(run_id)
        return lambda text: origin_of(run_id, config, self._readable(run_id, text))

    def _readable(self, run_id: str, text: str) -> Execution:
        """Return a way of execution; unknown where it is damaged: other runs are listed too."""
        try:
            return self._execution(run_id, text)
        except StoreError:
            return UNKNOWN_EXECUTION

    def _execution(self, run_id: str, text: str) -> Execution:
        try:
            return execution_from_json(text)
        except ValueError as exc:
            raise StoreError(
                f"how run {run_id} in {self.path} was executed is damaged or of a newer "
                f"icpi_ros ({exc}): upgrade, or choose another with --store"
            ) from exc

    def _next_attempt(self, db: sqlite3.Connection, run_id: str, number: int) -> int:
        rows = db.execute(
            "SELECT number, status FROM trials WHERE run_id = ? AND (number = ? OR status = ?)",
            (run_id, number, TrialStatus.RUNNING.value),
        ).fetchall()
        for row in rows:
            if row["status"] in (TrialStatus.RUNNING.value, TrialStatus.DONE.value):
                raise ValueError(f"trial {row['number']} of run {run_id} is {row['status']}")
        return len(rows) + 1

    def _unknown(self, db: sqlite3.Connection, run_id: str) -> str:
        query = "SELECT run_id FROM runs ORDER BY created DESC LIMIT 5"
        return unknown_run(run_id, self.path, [row["run_id"] for row in db.execute(query)])


def _taken(db: sqlite3.Connection, run_id: str) -> bool:
    return db.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchone() is not None
