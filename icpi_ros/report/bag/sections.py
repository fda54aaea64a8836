"""What a page about a recorded run has besides that of a stored one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from markupsafe import Markup

from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import INFO
from icpi_ros.bags.trials import RecordedTrial
from icpi_ros.core.types import SECOND
from icpi_ros.evaluate.recorded_runs import RecordedRun
from icpi_ros.report.page import Cell, TableColumn, items, paragraph, table
from icpi_ros.report.run.page import PageSection

FOXGLOVE = "config/foxglove.json"


def bag_sections(bag: Bag, run: RecordedRun, skipped: Iterable[str]) -> list[PageSection]:
    """Return sections about perception, the camera, and what was left out."""
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
    return table(columns, [_window(trial) for trial in trials], "what perception said")


def _window(trial: RecordedTrial) -> list[Cell]:
    length = (trial.stop - trial.start) / SECOND if trial.stop else math.nan
    path = trial.path
    first = [
        Cell(str(trial.number), trial.number),
        _number(length, 2),
        Cell(trial.state or "not recorded", tone="" if trial.state == "closed" else "bad"),
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
        paragraph(f"Read from {bag.path}. The layout {FOXGLOVE} opens it in Foxglove, in 3D.")
        + lines
        + table(columns, rows, "topics of the bag")
    )
