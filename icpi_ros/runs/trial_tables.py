"""Trials for other programs: rows for CSV, Parquet, pandas and notebooks, and JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from icpi_ros.core.redact import Json, jsonable, redact_text
from icpi_ros.core.types import Array, Trial
from icpi_ros.learn.dataset.columns import columns
from icpi_ros.learn.dataset.parquet import import_pandas
from icpi_ros.runs.answer import repeat_of
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    import pandas

Value = str | int | float | bool | None


def trial_rows(task: Task, trials: Sequence[Trial]) -> list[dict[str, Value]]:
    """Return one row per trial of ``task``; the columns are the same for all its runs.

    Columns of vectors are called ``theta_<name>``, ``goal_<name>``, ``error_<name>``, as in data
    sets; ``icpi task describe`` has their units.  None = not known; ``repeat_of`` is the number of
    the first trial of the same theta, None = there is no earlier one.
    """
    return [_row(task, trial, repeat_of(trial, trials)) for trial in trials]


def _row(task: Task, trial: Trial, repeated: int | None) -> dict[str, Value]:
    proposal, origin = trial.proposal, trial.origin
    vectors = {"theta": trial.theta, "goal": origin.goal, "error": trial.error}
    path = trial.trajectory
    seen = None if path is None or not len(path.times) else float(path.times[-1])
    return {
        "run_id": origin.run_id,
        "task": task.name,
        "improver": origin.improver,
        "trial": trial.number,
        "status": trial.status.value,
        **_vectors(task, vectors),
        "cost": _known(trial.cost),
        "best_cost": _known(trial.best_cost),
        "provenance": proposal.provenance,
        "fallback_reason": redact_text(proposal.fallback_reason),
        "projected": trial.projected,
        "repeat_of": repeated,
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


def frame(rows: Sequence[dict[str, Value]]) -> pandas.DataFrame:
    """Return rows as a data frame of pandas, one row per trial.

    Raises:
        UsageError: pandas is not installed.
    """
    return import_pandas().DataFrame(rows)


def trial_json(trial: Trial) -> dict[str, Json]:
    """Return a trial as standard JSON types, no NaN; vectors are lists, None = not known."""
    proposal, origin = trial.proposal, trial.origin
    known = {
        "trial": trial.number,
        "theta": trial.theta,
        "goal": origin.goal,
        "error": trial.error,
        "cost": trial.cost,
        "best_cost": trial.best_cost,
        "provenance": proposal.provenance,
        "seconds": trial.seconds,
        "status": trial.status.value,
        "note": trial.note,
        "tracking": asdict(trial.tracking) if trial.tracking.known else None,
        "projected": trial.projected,
        "fallback_reason": proposal.fallback_reason,
        "predicted_cost": proposal.predicted_cost,
        "predicted_std": proposal.predicted_std,
        "expected_gain": proposal.expected_gain,
        "trial_noise": proposal.trial_noise,
        "repeat": proposal.is_repeat,
        "proposal_seconds": proposal.latency,
        "spread": proposal.details.get("spread"),
        "spent": proposal.details.get("spent"),
        "backend": origin.backend or None,
        "bag": origin.bag or None,
    }
    return {name: jsonable(value) for name, value in known.items()}
