"""A recorded run in the form of a stored one, and the sections that only its page has."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from markupsafe import Markup

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import INFO
from icpi_ros.bags.trials import RecordedTrial, WindowState
from icpi_ros.core.types import SECOND, Trial
from icpi_ros.evaluate.recorded_runs import RecordedRun
from icpi_ros.report.page import Cell, TableColumn, items, paragraph, table
from icpi_ros.report.run.page import PageSection
from icpi_ros.runs.store.records import RunConfig, RunRecord

_CALENDAR = 10**9
"""Stamps below this many seconds are of a simulated clock."""


def bag_sections(bag: Bag, run: RecordedRun, skipped: Iterable[str]) -> list[PageSection]:
    """Return sections about perception, the camera, and the parts left out."""
    return [
        PageSection("windows", "Perception", _windows(run.trials)),
        PageSection("camera", "Camera", _camera(bag)),
        PageSection("bag", "The bag", _bag(bag, list(skipped))),
    ]


def _windows(trials: Sequence[RecordedTrial]) -> Markup:
    columns = [
        TableColumn("trial"),
        TableColumn("window [s]"),
        TableColumn("state", numeric=False),
        TableColumn("samples"),
        TableColumn("coverage", "share of samples that are present"),
        TableColumn("residual [mm]", "of measurements from the path; poses have none"),
        TableColumn("at rest", numeric=False),
        TableColumn("why not used", numeric=False, wraps=True),
    ]
    return table(columns, [_window(trial) for trial in trials], "windows as reported by perception")


def _window(trial: RecordedTrial) -> list[Cell]:
    length = (trial.stop - trial.start) / SECOND if trial.stop else math.nan
    path = trial.path
    first = [
        Cell(str(trial.number), trial.number),
        _number(length, 2),
        Cell(
            trial.state or "not recorded", tone="" if trial.state is WindowState.CLOSED else "bad"
        ),
    ]
    if path is None:
        return [*first, Cell("-"), Cell("-"), Cell("-"), Cell("-"), Cell("no path", tone="bad")]
    return [
        *first,
        Cell(str(len(path.trajectory.times)), len(path.trajectory.times)),
        Cell(f"{path.coverage:.1%}", path.coverage),
        _number(1e3 * path.residual, 2),
        Cell("yes" if path.at_rest else "no"),
        Cell("" if path.good else path.reason, tone="bad"),
    ]


def _number(value: float, digits: int) -> Cell:
    return Cell(f"{value:.{digits}f}", value) if math.isfinite(value) else Cell("-")


def _camera(bag: Bag) -> Markup:
    info = next((message.content for message in bag.messages((INFO,))), None)
    if info is None:
        return paragraph("The bag has no camera_info: positions were tracked otherwise.", "note")
    columns = [TableColumn("what", numeric=False), TableColumn("value", numeric=False)]
    rows = [[Cell(name), Cell(value)] for name, value in _calibration(info)]
    return table(columns, rows, "camera", sortable=False)


def _calibration(info: Any) -> list[tuple[str, str]]:
    matrix = np.asarray(info.k, dtype=np.float64).reshape(-1)
    shown = [float(matrix[k]) for k in (0, 4, 2, 5)] if len(matrix) == 9 else []
    focal = ", ".join(f"{value:.2f}" for value in shown) or "not calibrated"
    distortion = ", ".join(f"{float(value):.5g}" for value in info.d) or "none"
    return [
        ("frame", str(info.header.frame_id)),
        ("image", f"{info.width} x {info.height} px"),
        ("fx, fy, cx, cy [px]", focal),
        (f"distortion ({info.distortion_model or 'none'})", distortion),
    ]


def _bag(bag: Bag, skipped: list[str]) -> Markup:
    columns = [TableColumn("topic", numeric=False), TableColumn("type", numeric=False)]
    rows = [
        [Cell(channel.topic), Cell(channel.kind)]
        for channel in sorted(bag.channels, key=lambda channel: channel.topic)
    ]
    lines = items(skipped) if skipped else paragraph("Everything in it could be read.", "note")
    return (
        paragraph(
            f"Read from {bag.path}. Foxglove shows it in 3D with the layout that "
            f"`icpi view {bag.path.name} --foxglove FILE` writes."
        )
        + lines
        + table(columns, rows, "topics of the bag")
    )


def as_record(run: RecordedRun, bag: str) -> RunRecord:
    """Return the known configuration of a run in the bag of that path."""
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
    """Return the trials; prompts and replies, which bags lack, come from ``stored`` ones."""
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
