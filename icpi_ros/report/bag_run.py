"""A recorded run in the form of a stored one, so that the same reports show both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

from icpi_ros.data.bags.trials import RecordedTrial
from icpi_ros.data.records import RunConfig, RunRecord
from icpi_ros.offline.runs import RecordedRun
from icpi_ros.types import SECOND, Proposal, Trial, TrialStatus

NAN = float("nan")
_CALENDAR = 10**9
"""Stamps below this many seconds are of a simulated clock."""


def as_record(run: RecordedRun, bag: str) -> RunRecord:
    """Return what is known of how a run was set up.

    Args:
        run: recorded.
        bag: where it lies.
    """
    config = RunConfig(
        task=run.task.name,
        improver=run.improver or "unknown",
        goal=tuple(run.goal.tolist()),
        budget=len(run.trials),
        seed=run.settings.seed,
        max_step=run.settings.setup.max_step,
    )
    return RunRecord(run.run_id, _begun(run), config, "recorded", f"in bag {bag}")


def as_trials(run: RecordedRun, stored: Sequence[Trial] = ()) -> list[Trial]:
    """Return the trials; what bags lack (prompts, wall times) comes from ``stored`` ones."""
    known = {trial.number: trial for trial in stored}
    return [
        _trial(trial, known.get(trial.number)) for trial in run.trials if trial.theta is not None
    ]


def _trial(recorded: RecordedTrial, stored: Trial | None) -> Trial:
    assert recorded.theta is not None  # the caller leaves others out
    proposal = recorded.proposal or Proposal(recorded.theta, "unknown")
    seconds = moving = NAN
    if stored is not None and (stored.theta == recorded.theta).all():
        proposal = replace(proposal, details=stored.proposal.details)
        seconds, moving = stored.seconds, stored.moving
    return Trial(
        number=recorded.number,
        theta=recorded.theta,
        proposal=proposal,
        projected=recorded.projected,
        status=recorded.status or TrialStatus.INTERRUPTED,
        error=recorded.error,
        cost=recorded.cost,
        best_cost=recorded.best_cost,
        seconds=seconds,
        moving=moving,
        trajectory=recorded.path.trajectory if recorded.path else None,
        note=recorded.note,
    )


def _begun(run: RecordedRun) -> str:
    """Return when the first window opened, ISO 8601; "" = not known, or a simulated clock."""
    starts = [trial.start for trial in run.trials if trial.start > _CALENDAR * SECOND]
    if not starts:
        return ""
    return datetime.fromtimestamp(min(starts) / SECOND, UTC).isoformat(timespec="microseconds")
