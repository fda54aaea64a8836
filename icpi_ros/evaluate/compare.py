"""Perception now against what was recorded: how far apart two paths of one window are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.bags.trials import RecordedTrial
from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.perception.sources import SeenPath
from icpi_ros.tasks.base import Task

NAN = float("nan")
WIDEST = 1.5
"""Between two samples further apart than so many of the usual steps nothing is compared."""
NEAR = 1e-6
"""Rounding of times [s]."""


@dataclass(frozen=True)
class Difference:
    """One window, seen twice.  NaN = one of the two is missing.

    Attributes:
        rms: root mean square distance over the samples that both have [m].
        most: largest distance [m].
        end: distance of the last samples that both have [m].
        coverage: share of samples present now.
        recorded_coverage: the same in the recording.
        cost: of the path now [m].
        recorded_cost: [m].
        samples: how many were compared.
        reason: why there is no path now, or why it is poor; "" = there is, and it is good.
    """

    rms: float
    most: float
    end: float
    coverage: float
    recorded_coverage: float
    cost: float
    recorded_cost: float
    samples: int
    reason: str


def difference(task: Task, trial: RecordedTrial, seen: SeenPath | None) -> Difference:
    """Compare what perception says of a trial's window now with what was recorded."""
    now = seen.path if seen else None
    then = trial.path.trajectory if trial.path else None
    gaps = np.zeros(0) if now is None or then is None else _gaps(then, now)
    known = len(gaps) > 0
    return Difference(
        rms=float(np.sqrt(np.mean(gaps**2))) if known else NAN,
        most=float(gaps.max()) if known else NAN,
        end=float(gaps[-1]) if known else NAN,
        coverage=now.coverage if now else NAN,
        recorded_coverage=trial.path.coverage if trial.path else NAN,
        cost=_cost(task, trial, now),
        recorded_cost=trial.trial.cost if trial.trial else NAN,
        samples=len(gaps),
        reason=_reason(seen),
    )


def _gaps(then: ObjectTrajectory, now: ObjectTrajectory) -> Array:
    """Return distances ``(n,)`` [m] at the recorded times at which both paths have a sample."""
    seen = np.isfinite(now.positions).all(axis=1)
    known, path = now.times[seen], now.positions[seen]
    if len(known) < 2:
        return np.zeros(0)
    after = np.clip(np.searchsorted(known, then.times), 1, len(known) - 1)
    step = known[after] - known[after - 1]
    both = np.isfinite(then.positions).all(axis=1) & (step <= WIDEST * np.median(np.diff(known)))
    both &= (then.times >= known[0] - NEAR) & (then.times <= known[-1] + NEAR)
    columns = [np.interp(then.times[both], known, column) for column in path.T]
    return np.asarray(np.linalg.norm(np.stack(columns, axis=-1) - then.positions[both], axis=1))


def _cost(task: Task, trial: RecordedTrial, now: ObjectTrajectory | None) -> float:
    if now is None or trial.goal is None:
        return NAN
    try:
        return task.cost(task.error(now, trial.goal))
    except ObservationMissing:
        return NAN


def _reason(seen: SeenPath | None) -> str:
    if seen is None:
        return "the window was not recorded whole"
    return seen.reason or (seen.quality.reason if seen.quality else "")
