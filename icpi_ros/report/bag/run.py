"""A recorded run in the form of a stored one, so that the same reports show both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np

from icpi_ros.core.types import SECOND, Trial
from icpi_ros.evaluate.recorded_runs import RecordedRun
from icpi_ros.runs.store.records import RunConfig, RunRecord

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
    """Return the trials; what bags lack (prompts, replies) comes from ``stored`` ones."""
    known = {trial.number: trial for trial in stored}
    seen = [recorded.seen for recorded in run.trials]
    return [_trial(trial, known.get(trial.number)) for trial in seen if trial is not None]


def _trial(trial: Trial, stored: Trial | None) -> Trial:
    if stored is None or not np.array_equal(stored.theta, trial.theta):
        return trial
    proposal = replace(trial.proposal, details=stored.proposal.details)
    return replace(trial, proposal=proposal, seconds=stored.seconds, moving=stored.moving)


def _begun(run: RecordedRun) -> str:
    """Return when the first window opened, ISO 8601; "" = not known, or a simulated clock."""
    starts = [trial.start for trial in run.trials if trial.start > _CALENDAR * SECOND]
    if not starts:
        return ""
    return datetime.fromtimestamp(min(starts) / SECOND, UTC).isoformat(timespec="microseconds")
