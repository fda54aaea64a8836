"""A run in the form that ``icpi run --json`` writes."""

from __future__ import annotations

from dataclasses import asdict

from icpi_ros.data.records import RunConfig
from icpi_ros.models.budget import Spending
from icpi_ros.redact import Json, jsonable
from icpi_ros.types import Trial


def record_json(
    run_id: str, config: RunConfig, trials: list[Trial], spent: Spending
) -> dict[str, Json]:
    """Return a run in the form that ``icpi run --json`` writes; standard JSON, no NaN."""
    return {
        "run_id": run_id,
        "task": config.task,
        "improver": config.improver,
        "config": jsonable(config.as_dict()),
        "spent": spent.as_dict(),
        "trials": [_trial_json(trial, config) for trial in trials],
    }


def _trial_json(trial: Trial, config: RunConfig) -> Json:
    return jsonable(
        {
            "trial": trial.number,
            "theta": trial.theta,
            "goal": config.goal,
            "error": trial.error,
            "cost": trial.cost,
            "best_cost": trial.best_cost,
            "provenance": trial.proposal.provenance,
            "seconds": trial.seconds,
            "status": trial.status.value,
            "note": trial.note,
            "tracking": asdict(trial.tracking) if trial.tracking.known else None,
            "projected": trial.projected,
            "fallback_reason": trial.proposal.fallback_reason,
            "predicted_cost": trial.proposal.predicted_cost,
            "predicted_std": trial.proposal.predicted_std,
            "spread": trial.proposal.details.get("spread"),
            "spent": trial.proposal.details.get("spent"),
        }
    )
