"""Stored runs with their costs, many at once: what a list of runs shows."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from icpi_ros.core.types import TrialStatus
from icpi_ros.learn.dataset.execution import UNKNOWN_EXECUTION, execution_from_json
from icpi_ros.runs.store.records import RunConfig, RunRecord, config_from_json

_MARKS = """
    SELECT runs.*, trials.* FROM runs LEFT JOIN (
        SELECT run_id AS of_run, count(*), max(started), max(finished), total(cost),
            group_concat(status), sum(fallback_reason != '')
        FROM trials GROUP BY run_id
    ) AS trials ON of_run = run_id ORDER BY created DESC, run_id DESC
"""
_RUNS = "SELECT * FROM runs WHERE run_id IN ({}) ORDER BY created DESC, run_id DESC"
_TRIALS = """
    SELECT run_id, number, status, started, finished, fallback_reason != '' AS replaced, cost
    FROM trials WHERE run_id IN ({}) ORDER BY run_id, number, attempt
"""
_TEXTS = ("run_id", "created", "task", "improver", "config", "state", "note", "execution", "mixed")
"""Columns of a run that are texts."""


@dataclass(frozen=True)
class TrialCost:
    """Cost of one trial, its last attempt.

    Attributes:
        number: 0 is the common first attempt.
        status: of the attempt; one of a newer version is no reason to leave the run out.
        cost: [m]; None = not observed.
        replaced: the proposal fell back on another improver.
    """

    number: int
    status: str
    cost: float | None
    replaced: bool


@dataclass(frozen=True)
class RunOverview:
    """A stored run and the costs of its trials; what is damaged in it is left out and named.

    Attributes:
        record: of the run; goal, options and more are missing where ``damage`` says so.
        costs: of its trials, by number.
        latest: time of the last start or end of a trial, or of the run's creation [ISO 8601, UTC].
        damage: parts that cannot be read; empty = none.
    """

    record: RunRecord
    costs: tuple[TrialCost, ...] = ()
    latest: str = ""
    damage: str = ""


def read_marks(db: sqlite3.Connection) -> dict[str, int]:
    """Return a mark for every run, the newest first; it changes with the run's overview."""
    return {row["run_id"]: hash(tuple(row)) for row in db.execute(_MARKS)}


def read_overviews(db: sqlite3.Connection, run_ids: Sequence[str]) -> dict[str, RunOverview]:
    """Return runs by id (SQLite takes 32,766); those that are not stored are left out."""
    these = ", ".join("?" * len(run_ids))
    found = db.execute(_TRIALS.format(these), run_ids)
    trials = {run_id: list(rows) for run_id, rows in groupby(found, key=itemgetter("run_id"))}
    runs = db.execute(_RUNS.format(these), run_ids)
    return {row["run_id"]: _overview(dict(row), trials.get(row["run_id"], [])) for row in runs}


def _overview(row: dict[str, Any], trials: list[sqlite3.Row]) -> RunOverview:
    damage = []
    # SQLite holds a column to its type only where the tables say so, and they came with the file.
    if not all(isinstance(row[name], str) for name in _TEXTS):
        damage.append("texts")
        row |= {name: row[name] if isinstance(row[name], str) else "" for name in _TEXTS}
    numbered = [trial for trial in trials if isinstance(trial["number"], int)]
    if len(numbered) < len(trials):
        damage.append("trials")
    try:
        config = config_from_json(row["config"])
    except ValueError:
        damage.append("configuration")
        config = RunConfig(row["task"], row["improver"], (), row["budget"])
    try:
        execution = execution_from_json(row["execution"])
    except ValueError:
        damage.append("way of execution")
        execution = UNKNOWN_EXECUTION
    record = RunRecord(
        *(row["run_id"], row["created"], config, row["state"], row["note"]),
        execution,
        row["mixed"],
        bool(row["may_mix"]),
    )
    last = {trial["number"]: _cost(trial) for trial in numbered}
    latest = max(time for time in _times(row, trials) if isinstance(time, str))
    return RunOverview(record, tuple(last.values()), latest, " and ".join(damage))


def _cost(row: sqlite3.Row) -> TrialCost:
    done = row["status"] == TrialStatus.DONE
    return TrialCost(
        row["number"], row["status"], row["cost"] if done else None, bool(row["replaced"])
    )


def _times(row: dict[str, Any], trials: list[sqlite3.Row]) -> Iterator[object]:
    yield row["created"]
    for trial in trials:
        yield trial["finished"] or trial["started"]
