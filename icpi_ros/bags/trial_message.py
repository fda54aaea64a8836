"""Codec of the messages Trial and Proposal, of a graph or of a bag of any age."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from icpi_ros.core.types import MOVED_BACK, Array, Proposal, Trial, TrialOrigin, TrialStatus

MAX_VALUE = 1e3
"""Numbers of a trial beyond are those of a damaged message."""
NAN = float("nan")


def trial_fields(trial: Trial, theta_names: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a message Trial but for its header and its proposal."""
    origin = trial.origin
    return {
        "run_id": origin.run_id,
        "trial": trial.number,
        "task": origin.task,
        "status": trial.status.value,
        "note": trial.note,
        "theta_names": list(theta_names),
        "theta": trial.theta.tolist(),
        "goal": [] if origin.goal is None else origin.goal.tolist(),
        "error": [] if trial.error is None else trial.error.tolist(),
        "cost": float(trial.cost),
        "best_cost": float(trial.best_cost),
        "seconds": float(trial.seconds),
        "moving": float(trial.moving),
    }


def proposal_fields(trial: Trial, theta_names: Sequence[str]) -> dict[str, Any]:
    """Return the fields of a message Proposal: what a trial executes, and where it came from."""
    proposal = trial.proposal
    return {
        "run_id": trial.origin.run_id,
        "trial": trial.number,
        "requested": trial.origin.improver,
        "provenance": proposal.provenance,
        "fallback_reason": proposal.fallback_reason,
        "theta_names": list(theta_names),
        "theta": trial.theta.tolist(),
        "projected": trial.projected,
        "proposed_theta": proposal.theta.tolist(),
        "moved_reason": trial.moved_back,
        "latency": float(proposal.latency),
        "predicted_cost": float(proposal.predicted_cost),
        "predicted_std": float(proposal.predicted_std),
    }


def trial_from(msg: Any) -> Trial:
    """Return the trial of a message; the object's trajectory travels by itself.

    Raises:
        ValueError: there is no such status.
    """
    return Trial(
        number=int(msg.trial),
        theta=np.array(msg.theta, dtype=np.float64),
        proposal=_proposal(msg.proposal),
        projected=bool(msg.proposal.projected),
        status=TrialStatus(msg.status),
        error=np.array(msg.error, dtype=np.float64) if len(msg.error) else None,
        cost=float(msg.cost),
        best_cost=float(msg.best_cost),
        seconds=float(msg.seconds),
        moving=float(getattr(msg, "moving", NAN)),
        note=str(msg.note),
        origin=TrialOrigin(
            run_id=str(msg.run_id),
            task=str(msg.task),
            improver=str(msg.proposal.requested),
            goal=np.array(msg.goal, dtype=np.float64),
            theta_names=tuple(str(name) for name in msg.theta_names),
        ),
    )


def _proposal(msg: Any) -> Proposal:
    reason = str(getattr(msg, "moved_reason", ""))
    return Proposal(
        theta=_as_proposed(msg),
        provenance=str(msg.provenance),
        fallback_reason=str(msg.fallback_reason),
        latency=float(msg.latency),
        predicted_cost=_known(msg.predicted_cost),
        predicted_std=_known(msg.predicted_std),
        details={MOVED_BACK: reason} if reason else {},
    )


def _as_proposed(msg: Any) -> Array:
    """Return theta as it was proposed; older bags have it as it was executed alone."""
    asked = np.array(getattr(msg, "proposed_theta", ()), dtype=np.float64)
    known = len(asked) == len(msg.theta) and bool(np.all(np.abs(asked) <= MAX_VALUE))
    return asked if known else np.array(msg.theta, dtype=np.float64)


def _known(value: float) -> float:
    return float(value) if abs(value) <= MAX_VALUE else NAN
