"""Figures of a benchmark: plots put together, as inline SVG for the page or PNG for papers."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from icpi_benchmarks.report import plots
from icpi_benchmarks.report.style import plain
from icpi_benchmarks.report.words import is_oracle, key_trials, title
from icpi_benchmarks.statistics.predictions import predictions
from icpi_benchmarks.statistics.summaries import TaskSummary
from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import replacing
from icpi_ros.core.pictures import style
from icpi_ros.report.picture import Layout, grid, save_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from icpi_ros.report.picture import Draw

PNG_DPI = 200
WIDE = Layout(430, 376, left=52, right=122, bottom=42, top=26)
"""Plot with a title above it and names at its right."""
PANEL = Layout(240, 240, left=56, right=14, bottom=42, top=26)
"""Small square plot with a title."""
SMALL = Layout(320, 230, left=62, right=112, bottom=40, top=26)
"""Panel of the one figure of a page of Markdown."""
TALL = Layout(430, 320, left=60, right=14, bottom=96, top=26)
"""Plot with long names below it."""
SMALL_DPI = 72
_COLUMNS = 4
_SUMMARY_COLUMNS = 3
_SHOWN = 6
"""Improvers in a panel of it."""
_COLOURS = 64
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


def save_summary(path: Path, found: Sequence[TaskSummary], preset: str = "") -> None:
    """Write one small figure of a whole benchmark as PNG: a panel per task.

    Of one condition mean cost over the number of adjustments, of several cost over the
    conditions, of the preset ``calibration`` shares of outcomes inside 1 and 2 std.

    Raises:
        UsageError: the file cannot be written, or there is nothing to draw.
    """
    shown = {task: [one for one in ones if one.improvers] for task, ones in by_task(found).items()}
    draws, layout = [_summary(task, ones) for task, ones in shown.items() if ones], SMALL
    if preset == "calibration":
        draws, layout = prediction_draws(found), TALL
    if not draws:
        raise UsageError(f"{path}: nothing to draw: no improver has a cost or a prediction")
    with style.settings():
        _save_small(path, grid(draws, layout, _SUMMARY_COLUMNS))


def _summary(task: str, ones: Sequence[TaskSummary]) -> Draw:
    def draw(axes: Axes) -> None:
        if len(ones) == 1:
            plots.draw_cost_curves(axes, ones[0], "mean", _most_telling(ones[0]))
            axes.set_xlabel("adjustments")
        else:
            plots.draw_study(axes, ones, key_trials(min(one.block.trials for one in ones))[0])
        axes.set_title(plain(task, 24))

    return draw


def _most_telling(found: TaskSummary) -> list[str]:
    """Return the default, the best oracle, the best others and the worst, by their means."""
    trial = key_trials(found.block.trials)[0]
    ordered = sorted(found.ranked, key=lambda line: float(line.mean[trial]))
    names = [line.improver for line in ordered if line.improver != found.default]
    oracles = [name for name in names if is_oracle(name)]
    others = [name for name in names if not is_oracle(name)]
    shown = others[: _SHOWN - 3] + others[_SHOWN - 3 :][-1:]
    return [found.default, *oracles[:1], *shown]


def _save_small(path: Path, figure: Figure) -> None:
    """Write a figure as a PNG of few colours: a quarter of the bytes.

    Raises:
        UsageError: the file cannot be written.
    """
    from PIL import Image

    full = io.BytesIO()
    figure.savefig(full, format="png", dpi=SMALL_DPI, metadata={"Software": "icpi_ros"})
    few = (
        Image.open(full)
        .convert("RGB")
        .quantize(_COLOURS, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    )
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            few.save(temporary, format="PNG", optimize=True)
    except OSError as exc:
        raise UsageError(f"cannot write the picture {path}: {exc.strerror or exc}") from exc


def predicting(found: Sequence[TaskSummary]) -> list[str]:
    """Return the labels of those that predict."""
    known = [line.improver for one in found for line in one.improvers if line.calibration]
    return list(dict.fromkeys(known))


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
        if draws := prediction_draws(found):
            yield "predictions", grid(draws, TALL, 3)
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


def prediction_draws(found: Sequence[TaskSummary]) -> list[Draw]:
    """Return the shares of outcomes inside 1 and 2 std, a plot for each of those that predict."""
    rows = predictions(found)

    def draw(label: str) -> Draw:
        known = [row for row in rows if row.improver == label]
        return lambda axes: plots.draw_predictions(axes, known, label)

    return [draw(label) for label in predicting(found)]


def _panels(panels: dict[str, Draw], note: str) -> Figure:
    """Return small plots, and a line below all of them."""
    figure = grid(list(panels.values()), PANEL, _COLUMNS, below=_NOTE)
    figure.text(0.01, 0.3 * _NOTE / 72 / figure.get_figheight(), note, fontsize=9.5)
    return figure
