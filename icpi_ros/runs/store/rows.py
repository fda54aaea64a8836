"""Codec of runs and trials in the SQLite store: tables, rows, and the values they become."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import numpy as np

from icpi_ros.core.redact import jsonable, redact, redact_text
from icpi_ros.core.types import (
    ANSWER,
    EXPECTED_GAIN,
    REPEAT,
    Array,
    ObjectTrajectory,
    Proposal,
    Tracking,
    Trial,
    TrialOrigin,
    TrialStatus,
)
from icpi_ros.learn.dataset.execution import Execution
from icpi_ros.runs.store.records import utc_now

SCHEMA_VERSION = 3
APPLICATION_ID = 0x49435049  # "ICPI"

TABLES = """
CREATE TABLE runs (
    run_id   TEXT PRIMARY KEY,
    created  TEXT NOT NULL,              -- UTC, ISO 8601
    task     TEXT NOT NULL,
    improver TEXT NOT NULL,
    budget   INTEGER NOT NULL,           -- number of trials
    config   TEXT NOT NULL,              -- JSON of RunConfig
    state    TEXT NOT NULL DEFAULT 'open'
             CHECK (state IN ('open', 'finished', 'failed', 'cancelled')),
    note     TEXT NOT NULL DEFAULT '',
    execution TEXT NOT NULL DEFAULT '{}', -- JSON of Execution as it began, left out = unknown
    mixed    TEXT NOT NULL DEFAULT '',   -- arms or backends that were mixed on purpose, and where
    may_mix  INTEGER NOT NULL DEFAULT 0  -- 1: the next resume may mix
) STRICT;
CREATE TABLE trials (
    run_id          TEXT NOT NULL REFERENCES runs (run_id),
    number          INTEGER NOT NULL CHECK (number >= 0),
    attempt         INTEGER NOT NULL CHECK (attempt >= 1),
    status          TEXT NOT NULL,       -- types.TrialStatus
    started         TEXT NOT NULL,       -- UTC, ISO 8601
    finished        TEXT,
    theta           BLOB NOT NULL,       -- executed, little-endian float64, (d,)
    projected       INTEGER NOT NULL,    -- 1: theta is the proposal projected into the bounds
    proposal_theta  BLOB NOT NULL,       -- as proposed, (d,)
    provenance      TEXT NOT NULL,
    fallback_reason TEXT NOT NULL,
    latency         REAL NOT NULL,       -- [s]
    predicted_cost  REAL,                -- [m], NULL = no prediction
    predicted_std   REAL,                -- [m]
    details         TEXT NOT NULL,       -- JSON: prompt, reply, usage
    error           BLOB,                -- (m,)
    cost            REAL,                -- [m], NULL = not observed
    best_cost       REAL,                -- [m], NULL = none yet
    seconds         REAL NOT NULL DEFAULT 0,
    moving          REAL,                -- [s], NULL = not known
    times           BLOB,                -- [s], (T,)
    positions       BLOB,                -- [m] in frame base, (T, 3) row by row
    note            TEXT NOT NULL DEFAULT '',
    last_motion     TEXT NOT NULL DEFAULT '',  -- what the arm was commanded last
    tracking_error  REAL,                -- [rad], NULL = not seen
    tracking_joint  TEXT NOT NULL DEFAULT '',
    tracking_time   REAL,                -- [s] since the start of that motion
    execution       TEXT NOT NULL DEFAULT '{}', -- JSON of Execution, left out = unknown
    PRIMARY KEY (run_id, number, attempt)
) STRICT;
CREATE UNIQUE INDEX one_running_trial ON trials (run_id) WHERE status = 'running';
"""
UPGRADES = {
    2: (
        "ALTER TABLE trials ADD COLUMN last_motion TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE trials ADD COLUMN tracking_error REAL",
        "ALTER TABLE trials ADD COLUMN tracking_joint TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE trials ADD COLUMN tracking_time REAL",
    ),
    3: (
        "ALTER TABLE runs ADD COLUMN execution TEXT NOT NULL DEFAULT '{}'",
        "ALTER TABLE runs ADD COLUMN mixed TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE runs ADD COLUMN may_mix INTEGER NOT NULL DEFAULT 0",
        "ALTER TABLE trials ADD COLUMN execution TEXT NOT NULL DEFAULT '{}'",
    ),
}
"""Statements that bring a file of the version before to each version; stored values stay."""


def to_json(value: object) -> str:
    """Return standard JSON text without any key of the environment, key order fixed."""
    return json.dumps(redact(jsonable(value)), sort_keys=True, ensure_ascii=False)


def blob(array: Array | None) -> bytes | None:
    """Return an array as little-endian float64 bytes, row by row; None stays None."""
    return None if array is None else np.ascontiguousarray(array, dtype="<f8").tobytes()


def unblob(data: bytes) -> Array:
    """Inverse of :func:`blob`, flat."""
    return np.frombuffer(data, dtype="<f8").astype(np.float64)


CHANGED = {ANSWER, EXPECTED_GAIN, REPEAT}
"""Details of a trial that its end, or a person, may change."""


def begin_row(trial: Trial, execution: Execution) -> dict[str, Any]:
    """Return the columns that are known before a trial moves."""
    proposal = trial.proposal
    return {
        "execution": execution.to_json(),
        "status": TrialStatus.RUNNING.value,
        "started": utc_now(),
        "theta": blob(trial.theta),
        "projected": int(trial.projected),
        "proposal_theta": blob(proposal.theta),
        "provenance": proposal.provenance,
        "fallback_reason": redact_text(proposal.fallback_reason),
        "latency": float(proposal.latency),
        "predicted_cost": float(proposal.predicted_cost),  # SQLite keeps NaN as NULL
        "predicted_std": float(proposal.predicted_std),
        "details": to_json(proposal.details),
    }


def finish_row(trial: Trial) -> dict[str, Any]:
    """Return the columns that the end of a trial fills in.

    Theta and where it came from are among them: a person may have changed it since the start.
    So are the details, where they have something that may change.
    """
    seen, details = trial.trajectory, trial.proposal.details
    return {
        **({"details": to_json(details)} if details.keys() & CHANGED else {}),
        "theta": blob(trial.theta),
        "projected": int(trial.projected),
        "provenance": trial.proposal.provenance,
        "fallback_reason": redact_text(trial.proposal.fallback_reason),
        "predicted_cost": float(trial.proposal.predicted_cost),
        "predicted_std": float(trial.proposal.predicted_std),
        "status": trial.status.value,
        "finished": utc_now(),
        "error": blob(trial.error),
        "cost": float(trial.cost),
        "best_cost": float(trial.best_cost),
        "seconds": float(trial.seconds),
        "moving": float(trial.moving),
        "times": None if seen is None else blob(seen.times),
        "positions": None if seen is None else blob(seen.positions),
        "note": redact_text(trial.note),
        "last_motion": trial.tracking.motion,
        "tracking_error": float(trial.tracking.error),
        "tracking_joint": trial.tracking.joint,
        "tracking_time": float(trial.tracking.time),
    }


def trial_from_row(row: sqlite3.Row, origin: TrialOrigin) -> Trial:
    """Return a stored trial; where it comes from is in the row of its run.

    Raises:
        ValueError: the row is damaged.
    """
    return Trial(
        number=row["number"],
        theta=unblob(row["theta"]),
        proposal=_proposal_from_row(row),
        projected=bool(row["projected"]),
        status=TrialStatus(row["status"]),
        error=None if row["error"] is None else unblob(row["error"]),
        cost=_number(row["cost"]),
        best_cost=_number(row["best_cost"]),
        seconds=row["seconds"],
        moving=_number(row["moving"]),
        trajectory=_trajectory_from_row(row),
        tracking=Tracking(
            row["last_motion"],
            _number(row["tracking_error"]),
            row["tracking_joint"],
            _number(row["tracking_time"]),
        ),
        note=row["note"],
        origin=origin,
    )


def _proposal_from_row(row: sqlite3.Row) -> Proposal:
    return Proposal(
        theta=unblob(row["proposal_theta"]),
        provenance=row["provenance"],
        fallback_reason=row["fallback_reason"],
        latency=row["latency"],
        predicted_cost=_number(row["predicted_cost"]),
        predicted_std=_number(row["predicted_std"]),
        details=json.loads(row["details"]),
    )


def _trajectory_from_row(row: sqlite3.Row) -> ObjectTrajectory | None:
    if row["times"] is None or row["positions"] is None:
        return None
    return ObjectTrajectory(unblob(row["times"]), unblob(row["positions"]).reshape(-1, 3))


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)
