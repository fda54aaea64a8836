"""Predictions of improvers as rows and text: shares inside 1 and 2 std, sign, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

from icpi_benchmarks.report.words import aligned, estimate_text, share_text
from icpi_benchmarks.statistics.predictions import TARGETS, StepPredictions, predictions
from icpi_benchmarks.statistics.summaries import TaskSummary
from icpi_ros.core.text import printable


def prediction_rows(found: Sequence[StepPredictions]) -> tuple[list[str], list[list[str]]]:
    """Return header and rows of the predictions of one improver."""
    one, two = (f"{100.0 * share:.0f} %" for share in TARGETS)
    header = ["task", "after", "predictions", f"inside 1 std ({one})", f"inside 2 std ({two})"]
    header += ["mean (cost - predicted) / std", "cost above predicted"]
    rows = [
        [
            f"{row.task}, {row.condition}" if row.condition else row.task,
            "all" if row.step is None else str(row.step),
            str(row.count),
            share_text(row.within_1),
            share_text(row.within_2),
            estimate_text(row.mean_z),
            share_text(row.above),
        ]
        for row in found
    ]
    return header, rows


def predictions_text(found: Sequence[TaskSummary]) -> str:
    """Return a table per improver that predicts; "" if none does."""
    rows = predictions(found)
    parts = []
    for label in dict.fromkeys(row.improver for row in rows):
        header, lines = prediction_rows([row for row in rows if row.improver == label])
        title = f"predictions of {label}, 95 % intervals over instances:"
        parts.append("\n".join(map(printable, [title, *aligned([header, *lines])])))
    return "\n\n".join(parts)
