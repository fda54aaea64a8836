"""JSON of a trial: lengths in metres, times in seconds; the keys are columns of ``runs.table``."""

from __future__ import annotations

from dataclasses import asdict

from icpi_ros.core.redact import Json, jsonable
from icpi_ros.core.types import Trial


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
        "proposal_seconds": proposal.latency,
        "spread": proposal.details.get("spread"),
        "spent": proposal.details.get("spent"),
        "backend": origin.backend or None,
        "bag": origin.bag or None,
    }
    return {name: jsonable(value) for name, value in known.items()}
