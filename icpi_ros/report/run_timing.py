"""The section of a run's page about time: proposals, motions, whole trials."""

from __future__ import annotations

import math
from collections.abc import Sequence

from icpi_ros.report.page import Cell, Column, paragraph, table
from icpi_ros.types import Trial


def timing_section(trials: Sequence[Trial]) -> str:
    """Return a table of times [s], a row per trial; what is not known is left out as ``-``."""
    columns = [
        Column("trial"),
        Column("proposal [s]", "wall time of the improver"),
        Column("moving [s]", "arm motions and settling, in the arm's own time"),
        Column("seen [s]", "length of the object's path"),
        Column("trial [s]", "wall time of the whole trial"),
        Column("improver", numeric=False),
    ]
    return table(columns, [_row(trial) for trial in trials], "timings") + _sum(trials)


def _row(trial: Trial) -> list[Cell]:
    path = trial.trajectory
    seen = float(path.times[-1]) if path is not None and len(path.times) else math.nan
    return [
        Cell(str(trial.number), trial.number),
        _seconds(trial.proposal.latency, 4),
        _seconds(trial.moving),
        _seconds(seen),
        _seconds(trial.seconds),
        Cell(trial.proposal.provenance),
    ]


def _seconds(value: float, digits: int = 2) -> Cell:
    return Cell(f"{value:.{digits}f}", value) if math.isfinite(value) else Cell("-")


def _sum(trials: Sequence[Trial]) -> str:
    proposing = sum(trial.proposal.latency for trial in trials)
    known = [trial.seconds for trial in trials if math.isfinite(trial.seconds)]
    whole = f" of {sum(known):.1f} s in all" if known else ""
    return paragraph(f"The improver took {proposing:.3f} s{whole}.", "note")
