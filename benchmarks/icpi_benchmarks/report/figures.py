"""Figures of a benchmark: plots put together, as inline SVG for the page or PNG for papers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from icpi_benchmarks.report import plots
from icpi_benchmarks.report.words import key_trials, title
from icpi_benchmarks.statistics.summaries import TaskSummary
from icpi_ros.core.pictures import style
from icpi_ros.report.picture import Layout, grid, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from icpi_ros.report.picture import Draw

PNG_DPI = 200
WIDE = Layout(430, 376, left=52, right=122, bottom=42, top=26)
"""Plot with a title above it and names at its right."""
PANEL = Layout(240, 240, left=56, right=14, bottom=42, top=26)
"""Small square plot with a title."""
_COLUMNS = 4
_NOTE = 22
"""Room for a line below all panels [px]."""
CALIBRATION_COLOURS = "orange: first adjustment, blue: later ones"


def curve_draws(found: TaskSummary) -> list[Draw]:
    """Return mean cost, median cost and success over the number of adjustments."""
    return [
        lambda axes: plots.draw_cost_curves(axes, found, "mean"),
        lambda axes: plots.draw_cost_curves(axes, found, "median"),
        lambda axes: plots.draw_success(axes, found),
    ]


def pair_draws(found: TaskSummary) -> dict[str, Draw]:
    """Return a per-instance plot against the default for every other improver."""
    trials = key_trials(found.block.trials)
    span = plots.pair_span(found, trials)

    def draw(improver: str) -> Draw:
        return lambda axes: plots.draw_pairs(axes, found, improver, trials, span)

    others = [line.improver for line in found.ranked if line.improver != found.default]
    return {name: draw(name) for name in others}


def pair_colours(trials: int) -> str:
    """Return the legend of the colours of the per-instance plots."""
    shown = key_trials(trials)
    return ", ".join(
        f"{colour}: after {trial} adjustment{'' if trial == 1 else 's'}"
        for trial, colour in zip(shown, ("orange", "blue")[-len(shown) :], strict=True)
    )


def calibration_draws(found: TaskSummary) -> dict[str, Draw]:
    """Return predicted against actual cost for every improver that predicts."""
    known = {line.improver: line.calibration for line in found.ranked if line.calibration}
    if not known:
        return {}
    span = plots.calibration_span(list(known.values()))

    def draw(improver: str) -> Draw:
        return lambda axes: plots.draw_calibration(axes, known[improver], improver, span)

    return {name: draw(name) for name in known}


def study_draws(found: Sequence[TaskSummary]) -> list[Draw]:
    """Return cost over the conditions of one task, after a few adjustments and after the last."""
    trials = key_trials(min(one.block.trials for one in found))

    def draw(trial: int) -> Draw:
        return lambda axes: plots.draw_study(axes, found, trial)

    return [draw(trial) for trial in trials]


def save_pngs(folder: Path, found: Sequence[TaskSummary]) -> list[Path]:
    """Write all figures as PNG files of 200 dots per inch; return their paths.

    Raises:
        UsageError: the folder or a file cannot be written.
    """
    written = []
    for name, figure in _png_figures(found):
        path = folder / f"{name}.png"
        save_figure(path, figure, PNG_DPI)
        written.append(path)
    return written


def by_task(found: Sequence[TaskSummary]) -> dict[str, list[TaskSummary]]:
    """Return the summaries of each task, in the order of the run."""
    groups: dict[str, list[TaskSummary]] = {}
    for one in found:
        groups.setdefault(one.task, []).append(one)
    return groups


def slug(text: str) -> str:
    """Return a text as part of a file name or of an id."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.") or "x"


# --- inside -------------------------------------------------------------------------------------


def _png_figures(found: Sequence[TaskSummary]) -> Iterator[tuple[str, Figure]]:
    """Yield file name (unique) and figure, one after the other: they are large."""
    with style.settings():
        for task, conditions in by_task([one for one in found if one.improvers]).items():
            if len(conditions) > 1:
                yield f"{slug(task)}-study", grid(study_draws(conditions), WIDE, 2)
            for n, one in enumerate(conditions):
                stem = slug(title(one)) + (f"-{n}" if len(conditions) > 1 else "")
                yield f"{stem}-curves", grid(curve_draws(one), WIDE, 3)
                for kind, panels, note in (
                    ("pairs", pair_draws(one), pair_colours(one.block.trials)),
                    ("calibration", calibration_draws(one), CALIBRATION_COLOURS),
                ):
                    if panels:
                        yield f"{stem}-{kind}", _panels(panels, note)


def _panels(panels: dict[str, Draw], note: str) -> Figure:
    """Return small plots, and a line below all of them."""
    figure = grid(list(panels.values()), PANEL, _COLUMNS, below=_NOTE)
    figure.text(0.01, 0.3 * _NOTE / 72 / figure.get_figheight(), note, fontsize=9.5)
    return figure
