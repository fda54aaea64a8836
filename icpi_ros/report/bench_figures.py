"""Figures of a benchmark: plots put together, as inline SVG for the page or PNG for papers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

from icpi_ros.bench.statistics import TaskSummary
from icpi_ros.errors import UsageError
from icpi_ros.report import bench_plots as plots
from icpi_ros.report.bench_words import key_trials, title
from icpi_ros.report.svg import inline_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PNG_DPI = 200
_WIDE = (430, 360)
"""Size of a plot with names at its right [px]."""
_WIDE_EDGES = (50, 118, 40, 8)
"""Room for labels at the left, right, bottom and top [px]."""
_PANEL = (222, 206)
_PANEL_EDGES = (52, 14, 38, 6)
_PLAIN = (460, 400)
_PLAIN_EDGES = (58, 10, 44, 26)
_COLUMNS = 4
_TITLE, _NOTE = 14, 22
"""Room for a title above a panel and for a line below all of them [px]."""
CALIBRATION_COLOURS = "orange: first adjustment, blue: later ones"
_SETTINGS = {
    "font.size": 10.5,
    "axes.linewidth": 0.8,
    "text.parse_math": False,  # names come from a file: a $ is a $
    "svg.fonttype": "none",
}

Draw = Callable[["Axes"], None]


def wide_svg(draw: Draw, key: str, label: str) -> str:
    """Return one plot with names at its right as an inline SVG; ``key`` is unique on the page."""
    with _settings():
        return inline_svg(_single(draw, _WIDE, _WIDE_EDGES), key, label)


def panel_svg(draw: Draw, key: str, label: str) -> str:
    """Return one small square plot as an inline SVG."""
    with _settings():
        return inline_svg(_single(draw, _PANEL, _PANEL_EDGES), key, label)


def plain_svg(draw: Draw, key: str, label: str) -> str:
    """Return one plot without names beside it as an inline SVG."""
    with _settings():
        return inline_svg(_single(draw, _PLAIN, _PLAIN_EDGES), key, label)


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

    return {name: draw(name) for name in found.block.improvers if name != found.default}


def pair_colours(trials: int) -> str:
    """Say what the colours of the per-instance plots mean."""
    shown = key_trials(trials)
    return ", ".join(
        f"{colour}: after {trial} adjustment{'' if trial == 1 else 's'}"
        for trial, colour in zip(shown, ("orange", "blue")[-len(shown) :], strict=True)
    )


def calibration_draws(found: TaskSummary) -> dict[str, Draw]:
    """Return predicted against actual cost for every improver that predicts."""
    known = {line.improver: line.calibration for line in found.improvers if line.calibration}
    if not known:
        return {}
    span = plots.calibration_span(list(known.values()))

    def draw(improver: str) -> Draw:
        return lambda axes: plots.draw_calibration(axes, known[improver], span)

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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, figure in _png_figures(found):
            path = folder / f"{name}.png"
            figure.savefig(path, format="png", dpi=PNG_DPI, metadata={"Software": "icpi_ros"})
            written.append(path)
    except OSError as exc:
        raise UsageError(f"cannot write figures to {folder}: {exc.strerror or exc}") from exc
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


@contextmanager
def _settings() -> Iterator[None]:
    from matplotlib import rc_context

    with rc_context(_SETTINGS):
        yield


def _png_figures(found: Sequence[TaskSummary]) -> Iterator[tuple[str, Figure]]:
    """Yield file name (unique) and figure, one after the other: they are large."""
    with _settings():
        for task, conditions in by_task([one for one in found if one.improvers]).items():
            if len(conditions) > 1:
                yield f"{slug(task)}-study", _grid(study_draws(conditions), _WIDE, _WIDE_EDGES, 2)
            for n, one in enumerate(conditions):
                stem = slug(title(one)) + (f"-{n}" if len(conditions) > 1 else "")
                yield f"{stem}-curves", _grid(curve_draws(one), _WIDE, _WIDE_EDGES, 3)
                for kind, panels, note in (
                    ("pairs", pair_draws(one), pair_colours(one.block.trials)),
                    ("calibration", calibration_draws(one), CALIBRATION_COLOURS),
                ):
                    if panels:
                        yield f"{stem}-{kind}", _panels(panels, note)


def _single(draw: Draw, size: tuple[int, int], edges: tuple[int, int, int, int]) -> Figure:
    return _grid([draw], size, edges, 1)


def _panels(panels: dict[str, Draw], note: str) -> Figure:
    """Return small plots with their names above, and a line below all of them."""
    from icpi_ros.report.bench_style import plain

    left, right, bottom, top = _PANEL_EDGES
    size, edges = (_PANEL[0], _PANEL[1] + _TITLE), (left, right, bottom, top + _TITLE)
    figure = _grid(list(panels.values()), size, edges, _COLUMNS, below=_NOTE)
    for axes, name in zip(figure.axes, panels, strict=True):
        axes.set_title(plain(name), fontsize=10.5, pad=4)
    figure.text(0.01, 0.3 * _NOTE / 72 / figure.get_figheight(), note, fontsize=9.5)
    return figure


def _grid(
    draws: Sequence[Draw],
    size: tuple[int, int],
    edges: tuple[int, int, int, int],
    columns: int,
    below: int = 0,
) -> Figure:
    """Return a figure of equal plots, ``columns`` in a row, at 72 dots per inch.

    Args:
        draws: one each.
        size: of a plot with its labels [px].
        edges: room for labels at the left, right, bottom and top [px].
        columns: most in a row.
        below: room below all plots [px].
    """
    from matplotlib.figure import Figure

    columns = min(columns, len(draws))
    rows = ceil(len(draws) / columns)
    (width, height), (left, right, bottom, top) = size, edges
    whole = (width * columns, height * rows + below)
    figure = Figure(figsize=(whole[0] / 72, whole[1] / 72), dpi=72)
    for n, draw in enumerate(draws):
        x, y = width * (n % columns), below + height * (rows - 1 - n // columns)
        box = (
            (x + left) / whole[0],
            (y + bottom) / whole[1],
            (width - left - right) / whole[0],
            (height - bottom - top) / whole[1],
        )
        draw(figure.add_axes(box))
    return figure
