"""Trials of a run as CSV or Parquet: one row per trial, lengths in metres, times in seconds."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from icpi_ros.data.columns import columns
from icpi_ros.errors import UsageError
from icpi_ros.files import replacing
from icpi_ros.redact import redact_text
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array, Trial

Value = str | int | float | bool | None


def trial_rows(
    run_id: str, improver: str, task: Task, goal: Array, trials: Sequence[Trial]
) -> list[dict[str, Value]]:
    """Return one row per trial; the columns are the same for all runs of a task.

    Columns of vectors are called ``theta_<name>``, ``goal_<name>``, ``error_<name>``, as in data
    sets; ``icpi task describe`` has their units.  None = not known.
    """
    return [_row(run_id, improver, task, goal, trial) for trial in trials]


def _row(run_id: str, improver: str, task: Task, goal: Array, trial: Trial) -> dict[str, Value]:
    proposal = trial.proposal
    vectors = {"theta": trial.theta, "goal": goal, "error": trial.error}
    path = trial.trajectory
    seen = None if path is None or not len(path.times) else float(path.times[-1])
    return {
        "run_id": run_id,
        "task": task.name,
        "improver": improver,
        "trial": trial.number,
        "status": trial.status.value,
        **_vectors(task, vectors),
        "cost": _known(trial.cost),
        "best_cost": _known(trial.best_cost),
        "provenance": proposal.provenance,
        "fallback_reason": redact_text(proposal.fallback_reason),
        "projected": trial.projected,
        "predicted_cost": _known(proposal.predicted_cost),
        "predicted_std": _known(proposal.predicted_std),
        "proposal_seconds": _known(proposal.latency),
        "moving_seconds": _known(trial.moving),
        "seconds": _known(trial.seconds),
        "seen_seconds": seen,
        "coverage": None if path is None else path.coverage,
        "last_motion": trial.tracking.motion,
        "tracking_error": _known(trial.tracking.error),
        "tracking_joint": trial.tracking.joint,
        "tracking_seconds": _known(trial.tracking.time),
        "note": redact_text(trial.note),
    }


def _vectors(task: Task, vectors: Mapping[str, Array | None]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for kind, values in vectors.items():
        for column in columns(task):
            if column.field == kind:
                found[column.name] = None if values is None else float(values[column.index])
    return found


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def write_csv(path: Path, rows: Sequence[Mapping[str, Value]]) -> None:
    """Write rows with the same columns; an empty field = not known.

    Raises:
        UsageError: no row, or the file cannot be written.
    """
    _require(path, rows)
    try:
        with replacing(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as out:
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror or exc}") from exc


def write_parquet(path: Path, rows: Sequence[Mapping[str, Value]]) -> None:
    """Write rows with the same columns; null = not known.

    Raises:
        UsageError: no row, or the file cannot be written.
    """
    from pyarrow import parquet, table

    _require(path, rows)
    columns = {name: _column([row[name] for row in rows]) for name in rows[0]}
    try:
        with replacing(path) as temporary:
            parquet.write_table(table(columns), temporary, compression="zstd")
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror or exc}") from exc


def _column(values: list[Value]) -> Any:
    """Return a column; one without any value is of numbers."""
    import pyarrow

    kind = pyarrow.float64() if all(value is None for value in values) else None
    return pyarrow.array(values, type=kind)


def _require(path: Path, rows: Sequence[Mapping[str, Value]]) -> None:
    if not rows:
        raise UsageError(f"nothing to write to {path}: the run has no trial")
