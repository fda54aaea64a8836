"""What an arm was commanded last in every trial, and how it followed: as text and as a table."""

from __future__ import annotations

import math
from collections.abc import Sequence

from icpi_ros.report.page import Cell, Column, table
from icpi_ros.types import Tracking, Trial


def tracking_text(tracking: Tracking) -> str:
    """Return one line; empty where nothing was commanded.

    ``stroke: elbow_joint 0.0123 rad off at 0.31 s``
    """
    if not tracking.known:
        return f"{tracking.motion}: not seen to follow" if tracking.motion else ""
    return (
        f"{tracking.motion}: {tracking.joint} {tracking.error:.4f} rad off at {tracking.time:.2f} s"
    )


def tracking_lines(trials: Sequence[Trial]) -> list[str]:
    """Return the worst of a run's trials, and every one that was stopped or not seen."""
    told = [trial for trial in trials if trial.tracking.motion]
    seen = [trial for trial in told if trial.tracking.known]
    worst = max(seen, key=lambda trial: trial.tracking.error, default=None)
    shown = [
        t for t in told if t is worst or not t.tracking.known or "stopped" in t.tracking.motion
    ]
    return [
        f"arm in trial {trial.number}{' (worst)' if trial is worst else ''}: "
        f"{tracking_text(trial.tracking)}"
        for trial in shown
    ]


def tracking_table(trials: Sequence[Trial]) -> str:
    """Return a table, a row per trial; empty where no trial knows of an arm (in-process runs)."""
    told = [trial for trial in trials if trial.tracking.motion]
    if not told:
        return ""
    columns = [
        Column("trial"),
        Column("last command", numeric=False),
        Column("error [rad]", "largest distance of a joint from its path"),
        Column("joint", numeric=False),
        Column("at [s]", "when, since the start of that motion, in the arm's own time"),
    ]
    return table(columns, [_row(trial) for trial in told], "tracking")


def _row(trial: Trial) -> list[Cell]:
    tracking = trial.tracking
    return [
        Cell(str(trial.number), trial.number),
        Cell(tracking.motion),
        _number(tracking.error, 4),
        Cell(tracking.joint or "-"),
        _number(tracking.time, 2),
    ]


def _number(value: float, digits: int) -> Cell:
    return Cell(f"{value:.{digits}f}", value) if math.isfinite(value) else Cell("-")
