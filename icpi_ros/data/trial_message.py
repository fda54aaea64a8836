"""Decoder of the message Trial, from the graph or from a bag of any age."""

from __future__ import annotations

from typing import Any

import numpy as np

from icpi_ros.types import MOVED_BACK, Array, Proposal, Trial, TrialStatus

MOST = 1e3
"""Numbers of a trial beyond are those of a damaged message."""
NAN = float("nan")


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
    known = len(asked) == len(msg.theta) and bool(np.all(np.abs(asked) <= MOST))
    return asked if known else np.array(msg.theta, dtype=np.float64)


def _known(value: float) -> float:
    return float(value) if abs(value) <= MOST else NAN
