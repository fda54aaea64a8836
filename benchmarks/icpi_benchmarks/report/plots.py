"""Plots of a benchmark: each function draws one plot onto axes that it is given.

Costs are shown in mm.  matplotlib is imported at the first call only, and without a display.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_benchmarks.report.style import Style, plain, styles
from icpi_benchmarks.report.words import threshold_text
from icpi_benchmarks.statistics.predictions import TARGETS, StepPredictions
from icpi_benchmarks.statistics.summaries import PredictionCalibration, TaskSummary
from icpi_ros.core.pictures import style
from icpi_ros.core.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FLOOR_MM = 1e-3
"""Costs below this are drawn at it [mm]: a logarithmic axis has no zero."""
MAX_SMALL_TICKS = 4
"""Labels along a side of a small plot."""
MAX_DOTS = 300
"""Dots of one colour in one plot."""
_EARLY, _LATE = style.CATEGORIES[0], style.DEFAULT
_LABEL_GAP = 11.5
"""Distance of labels at the right edge [points]."""


def draw_cost_curves(
    axes: Axes, found: TaskSummary, statistic: str, labels: Sequence[str] | None = None
) -> None:
    """Draw the best cost so far over the number of adjustments, with 95 % bands.

    Args:
        axes: to draw onto; labels go to the right of them.
        found: one condition and task.
        statistic: ``mean`` or ``median`` over instances.
        labels: improvers that are drawn; None = all that are ranked.
    """
    looks = styles(found.block.improvers, found.default)
    steps = np.arange(found.block.trials)
    lines = [one for one in found.ranked if labels is None or one.improver in labels]
    for line in lines:
        look = looks[line.improver]
        low, high = (_mm(getattr(line, f"{statistic}_{end}")) for end in ("low", "high"))
        axes.fill_between(steps, low, high, color=look.colour, alpha=look.band, linewidth=0)
        axes.plot(steps, _mm(getattr(line, statistic)), **look.line)
    axes.set_yscale("log")
    _mark_threshold(axes, found.threshold)
    _frame(axes, "adjustments after the common first attempt", f"{statistic} best cost [mm]")
    axes.set_title(
        {"mean": "mean over instances", "median": "typical instance (median)"}[statistic]
    )
    style.log_ticks(axes, "y")
    _whole_steps(axes, found.block.trials)
    ends = [float(_mm(getattr(line, statistic)[-1:])[0]) for line in lines]
    _label_right(axes, float(steps[-1]), ends, [looks[line.improver] for line in lines])


def draw_success(axes: Axes, found: TaskSummary) -> None:
    """Draw the share of instances within the threshold over the number of adjustments."""
    looks = styles(found.block.improvers, found.default)
    steps = np.arange(found.block.trials)
    for line in found.ranked:
        axes.plot(steps, 100.0 * line.success, **looks[line.improver].line)
    axes.set_ylim(-3.0, 103.0)
    _frame(
        axes,
        "adjustments after the common first attempt",
        "instances [%]",
    )
    axes.set_title(f"share within {threshold_text(found.threshold)}")
    _whole_steps(axes, found.block.trials)
    ends = [100.0 * float(line.success[-1]) for line in found.ranked]
    _label_right(axes, float(steps[-1]), ends, [looks[line.improver] for line in found.ranked])


def draw_pairs(
    axes: Axes, found: TaskSummary, improver: str, trials: Sequence[int], span: tuple[float, float]
) -> None:
    """Draw every instance: the default's best cost across, another improver's up.

    Args:
        axes: to draw onto.
        found: one condition and task.
        improver: label of the other.
        trials: numbers of adjustments, one or two: an earlier one (orange), the last (blue).
        span: both axes' range [mm].
    """
    block = found.block
    across, up = block.best[block.row_of(found.default)], block.best[block.row_of(improver)]
    axes.plot(span, span, color=style.QUIET, linewidth=0.8)
    for trial, colour in zip(trials, (_EARLY, _LATE)[-len(trials) :], strict=True):
        _dots(axes, _mm(across[:, trial]), _mm(up[:, trial]), colour)
    _square(axes, span)
    axes.set_xlabel(f"{plain(found.default, 18)} [mm]")
    axes.set_ylabel("other [mm]")
    axes.set_title(plain(improver, 24))


def draw_calibration(
    axes: Axes, found: PredictionCalibration, improver: str, span: tuple[float, float]
) -> None:
    """Draw predicted cost across and outcome up, first adjustment (orange) and later (blue)."""
    axes.plot(span, span, color=style.QUIET, linewidth=0.8)
    first = found.trial == 1
    for chosen, colour in ((~first, _LATE), (first, _EARLY)):
        _dots(axes, _mm(found.predicted[chosen]), _mm(found.outcome[chosen]), colour)
    _square(axes, span)
    axes.set(xlabel="predicted [mm]", ylabel="outcome [mm]")
    axes.set_title(plain(improver, 24))


def draw_study(axes: Axes, found: Sequence[TaskSummary], trial: int) -> None:
    """Draw the mean best cost after ``trial`` adjustments over the conditions, with intervals.

    Args:
        axes: to draw onto; labels go to the right of them.
        found: one task under several conditions, in their order.
        trial: number of adjustments.
    """
    unsorted, name = condition_places([one.condition for one in found])
    order = np.argsort(unsorted, kind="stable")
    places, found = unsorted[order], [found[k] for k in order]
    everyone = list(dict.fromkeys(i for one in found for i in one.block.improvers))
    ranked = [{line.improver for line in one.ranked} for one in found]
    labels = [label for label in everyone if any(label in some for some in ranked)]
    looks, ends = styles(everyone, found[0].default), []
    for n, improver in enumerate(labels):
        here = [k for k, some in enumerate(ranked) if improver in some]
        lines = [found[k].of(improver) for k in here]
        mean, low, high = (
            _mm(np.array([getattr(line, part)[trial] for line in lines]))
            for part in ("mean", "mean_low", "mean_high")
        )
        x, look = _dodged(places, n, len(labels))[here], looks[improver]
        ends.append(float(mean[-1]))
        axes.vlines(x, low, high, color=look.colour, linewidth=0.9)
        axes.plot(x, mean, **look.line)
    axes.set_yscale("log")
    _mark_threshold(axes, found[0].threshold)
    _frame(axes, plain(name), "mean best cost [mm]")
    axes.set_title(f"after {trial} adjustment{'' if trial == 1 else 's'}")
    style.log_ticks(axes, "y")
    axes.set_xticks(places, [plain(value_text(one.condition), 14) for one in found])
    axes.set_xlim(*_widened(places, 0.04))
    _label_right(axes, float(axes.get_xlim()[1]), ends, [looks[label] for label in labels])


def draw_predictions(axes: Axes, found: Sequence[StepPredictions], improver: str) -> None:
    """Draw the shares of outcomes inside 1 (blue) and 2 predicted std (orange), task by task.

    Dashed lines are the shares that normal outcomes would have, bars are 95 % intervals.
    """
    rows = [row for row in found if row.step is None]
    places = np.arange(len(rows), dtype=np.float64)
    for share, target, colour in zip(
        ("within_1", "within_2"), TARGETS, (_LATE, _EARLY), strict=True
    ):
        values = [getattr(row, share) for row in rows]
        low, high = (100.0 * np.array([getattr(v, end) for v in values]) for end in ("low", "high"))
        axes.axhline(100.0 * target, color=colour, linewidth=0.9, linestyle=(0, (4, 2)))
        axes.vlines(places, low, high, color=colour, linewidth=1.4)
        axes.plot(places, [100.0 * v.value for v in values], "o", color=colour, markersize=4.5)
    names = [row.task if not row.condition else value_text(row.condition) for row in rows]
    axes.set_xticks(places, [plain(name, 14) for name in names], rotation=35, ha="right")
    axes.set_ylim(-3.0, 103.0)
    _frame(axes, "", "outcomes inside 1, 2 std [%]")
    axes.set_title(plain(improver, 24))


def condition_places(names: Sequence[str]) -> tuple[Array, str]:
    """Return the places of conditions on an axis, and the axis' label.

    Conditions ``examples=25``, ``examples=50``... stand at their values (at the logarithms, if
    they span a factor of 15 and are positive), all others side by side.
    """
    keys = {name.partition("=")[0] for name in names}
    name = keys.pop() if len(keys) == 1 else "condition"
    found = [re.fullmatch(r"(\d+(?:\.\d+)?)([a-z%]*)", value_text(one)) for one in names]
    matched = [one for one in found if one]
    side_by_side = np.arange(len(names), dtype=np.float64)
    if len(matched) < len(names) or len({one[2] for one in matched}) > 1:
        return side_by_side, name
    values = np.array([float(one[1]) for one in matched])
    if name == "condition" or len(set(values)) < len(values):
        return side_by_side, name
    if values.min() > 0.0 and values.max() >= 15.0 * values.min():
        values = np.log10(values)
    return values, name


def value_text(condition: str) -> str:
    """Return the value of a condition: ``100`` of ``examples=100``; ``plain`` without a name."""
    return condition.partition("=")[2] or condition or "plain"


def pair_span(found: TaskSummary, trials: Sequence[int]) -> tuple[float, float]:
    """Return a range [mm] that holds all best costs after these adjustments."""
    return _span(_mm(found.block.best[:, :, list(trials)]))


def calibration_span(found: Sequence[PredictionCalibration]) -> tuple[float, float]:
    """Return a range [mm] that holds nearly all predictions and outcomes."""
    values = np.concatenate([np.concatenate([one.predicted, one.outcome]) for one in found])
    shown = _mm(values)
    return _span(np.quantile(shown, [0.002, 0.998]))


# --- inside -------------------------------------------------------------------------------------


def _mm(metres: Array) -> Array:
    return np.maximum(1000.0 * np.asarray(metres, dtype=np.float64), FLOOR_MM)


def _span(values: Array) -> tuple[float, float]:
    return 0.8 * float(values.min()), 1.25 * float(values.max())


def _dodged(places: Array, n: int, count: int) -> Array:
    """Shift improver ``n`` of ``count`` a little so that intervals do not cover each other."""
    gaps = np.diff(np.sort(places))
    room = 0.3 * float(gaps.min()) if len(gaps) else 0.3
    return places + room * (n / max(count - 1, 1) - 0.5)


def _widened(places: Array, share: float) -> tuple[float, float]:
    low, high = float(places.min()), float(places.max())
    gaps = np.diff(np.sort(places))
    room = max(share * (high - low), 0.25 * float(gaps.min()) if len(gaps) else 0.5)
    return low - room, high + room


def _frame(axes: Axes, across: str, up: str) -> None:
    axes.set(xlabel=across, ylabel=up)
    axes.tick_params(length=0, which="both")


def _whole_steps(axes: Axes, trials: int) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.set_xlim(-0.1, max(trials - 1, 1) + 0.1)


def _mark_threshold(axes: Axes, threshold: float) -> None:
    low, high = axes.get_ylim()
    value = 1000.0 * threshold
    if not low <= value <= high:
        return
    axes.axhline(value, color=style.QUIET, linewidth=1.0, linestyle=(0, (1, 2)), zorder=1)
    axes.annotate(
        threshold_text(threshold), (0.0, value), xycoords=("axes fraction", "data"), xytext=(4, 2),
        textcoords="offset points", fontsize=9, color=style.QUIET,
    )  # fmt: skip


def _dots(axes: Axes, x: Array, y: Array, colour: str) -> None:
    """Draw at most :data:`MAX_DOTS` dots, evenly chosen: more would only fill the page."""
    shown = np.unique(np.linspace(0, len(x) - 1, min(len(x), MAX_DOTS)).astype(np.int64))
    x, y = x[shown], y[shown]
    axes.plot(
        x, y, "o", color=colour, markersize=3.6, markeredgewidth=0, alpha=0.6, linestyle="None"
    )


def _square(axes: Axes, span: tuple[float, float]) -> None:
    axes.set(xscale="log", yscale="log", xlim=span, ylim=span)
    axes.set_aspect("equal")
    _frame(axes, "", "")
    for which in "xy":
        style.log_ticks(axes, which, MAX_SMALL_TICKS)


def _label_right(axes: Axes, x: float, values: Sequence[float], looks: Sequence[Style]) -> None:
    """Write the names beside the right ends of the lines, moved apart where they would touch."""
    if not len(values):
        return
    to_points = 72.0 / axes.figure.dpi
    heights = axes.transData.transform([(x, value) for value in values])[:, 1] * to_points
    box = axes.get_window_extent()  # labels need final limits: nothing may be drawn after them
    wanted = _spaced(heights, _LABEL_GAP, box.y0 * to_points, box.y1 * to_points)
    settings: dict[str, Any] = {"xycoords": "data", "textcoords": "offset points"}
    for value, height, target, look in zip(values, heights, wanted, looks, strict=True):
        axes.annotate(
            look.label, (x, value), xytext=(16.0, target - height), va="center", fontsize=10,
            annotation_clip=False, **look.text, **settings,
            arrowprops={
                "arrowstyle": "-", "color": look.colour, "linewidth": 0.6, "shrinkA": 1,
                "shrinkB": 3, "relpos": (0.0, 0.5),
            },
        )  # fmt: skip


def _spaced(wanted: Array, gap: float, low: float, high: float) -> Array:
    """Return positions near ``wanted`` that keep ``gap`` and, if there is room, the range."""
    order = np.argsort(wanted, kind="stable")
    offsets = gap * np.arange(len(wanted))
    shifted = _isotonic(wanted[order] - offsets)
    ceiling = max(high - offsets[-1], low) if len(offsets) else high
    placed = np.clip(shifted, low, ceiling) + offsets
    found = np.empty_like(wanted)
    found[order] = placed
    return found


def _isotonic(values: Array) -> Array:
    """Return the non-decreasing sequence closest to ``values`` (pool adjacent violators)."""
    pools: list[tuple[float, int]] = []
    for value in values:
        pools.append((float(value), 1))
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            (a, m), (b, n) = pools[-2], pools[-1]
            pools[-2:] = [((a * m + b * n) / (m + n), m + n)]
    return np.concatenate([np.full(count, value) for value, count in pools])
