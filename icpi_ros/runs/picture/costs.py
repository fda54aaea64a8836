"""Cost of every trial of a run, beside what was predicted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from icpi_ros.core.pictures import style
from icpi_ros.core.types import Array, Trial, TrialStatus
from icpi_ros.core.units import millimetres

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FLOOR = 1e-3
"""Costs [mm] below this are drawn at it: a logarithmic axis has no zero."""
_CROWDED = 12
"""Up to so many trials have marks of their usual size."""
_MAX_LABELLED = 10
"""Up to so many trials get their cost written beside them; else the first and the best."""


def colours(trials: Sequence[Trial]) -> dict[int, str]:
    """Return a colour per trial number, from the first to the last."""
    shades = style.sequence(len(trials))
    return {trial.number: shade for trial, shade in zip(trials, shades, strict=True)}


def draw_costs(axes: Axes, trials: Sequence[Trial]) -> None:
    """Draw the cost of every trial [mm], and its prediction if there was one."""
    shades = colours(trials)
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    if done:
        _draw_best(axes, done)
        _draw_predictions(axes, done)
        _scatter(axes, [t for t in done if not t.proposal.fallback_reason], "o", shades)
        _scatter(axes, [t for t in done if t.proposal.fallback_reason], "D", shades)
        axes.set_yscale("log")
    _mark_missing(axes, [trial for trial in trials if trial.status is not TrialStatus.DONE])
    _scale(axes, trials, done)
    _label_costs(axes, done)
    axes.set(xlabel="trial", ylabel="cost [mm]")
    axes.set_title("cost of every trial", pad=24)
    axes.grid(visible=False, axis="x")
    if axes.get_legend_handles_labels()[0]:
        row = axes.legend(
            loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=4, borderpad=0.2,
            columnspacing=0.9, handlelength=1.2, markerscale=0.8,
        )  # fmt: skip
        row.set_in_layout(False)


def _draw_best(axes: Axes, done: list[Trial]) -> None:
    best = np.minimum.accumulate([_shown(trial) for trial in done])
    numbers = [trial.number for trial in done]
    axes.step(numbers, best, where="post", color=style.QUIET, linewidth=1.1, label="best so far")


def _size(usual: float, least: float, count: int) -> float:
    """Return the size of a mark [points]: with many trials it is smaller."""
    return max(least, min(usual, usual * _CROWDED / max(count, 1)))


def _draw_predictions(axes: Axes, done: list[Trial]) -> None:
    """Draw each predicted cost as a dash, its standard deviation as a bar."""
    label: str | None = "predicted ± std"
    wide, dash = _size(7.0, 1.5, len(done)), _size(13.0, 4.0, len(done))
    for trial in done:
        low, middle, high = _predicted(trial)
        if np.isfinite(middle):
            n = trial.number
            axes.vlines(n, low, high, color=style.PREDICTED, linewidth=wide, alpha=0.3)
            axes.plot(n, middle, "_", color=style.PREDICTED, ms=dash, mew=1.6, label=label)
            label = None


def _predicted(trial: Trial) -> Array:
    """Return low end, middle and high end of a prediction [mm]; NaN = there is none."""
    middle, std = trial.proposal.predicted_cost, trial.proposal.predicted_std
    std = std if np.isfinite(std) else 0.0
    found: Array = np.maximum(1000.0 * np.array([middle - std, middle, middle + std]), _FLOOR)
    return found


def _scatter(axes: Axes, trials: list[Trial], marker: str, shades: dict[int, str]) -> None:
    size = _size(7.5, 4.0, len(shades))
    edge, label = (style.GOAL, "fallback") if marker == "D" else ("none", None)
    for trial in trials:
        shade = shades[trial.number]
        axes.plot(
            trial.number, _shown(trial), marker, color=shade, ms=size, mec=edge, zorder=3,
            label=label,
        )  # fmt: skip
        label = None


def _shown(trial: Trial) -> float:
    """Return a cost [mm] that a logarithmic axis can show."""
    return max(1000.0 * trial.cost, _FLOOR)


def _label_costs(axes: Axes, done: list[Trial]) -> None:
    """Write costs [mm] beside their dots, on the side where no prediction is."""
    best = min(done, key=lambda trial: trial.cost, default=None)
    for trial in done:
        if len(done) <= _MAX_LABELLED or trial is best or trial is done[0]:
            up = trial.cost > trial.proposal.predicted_cost
            axes.annotate(
                millimetres(trial.cost).removesuffix(" mm"), (trial.number, _shown(trial)),
                xytext=(0, 7 if up else -8), textcoords="offset points", ha="center",
                va="bottom" if up else "top", fontsize=10.5, color=style.INK,
                fontweight="bold" if trial is best else "normal",
            )  # fmt: skip


def _mark_missing(axes: Axes, missing: list[Trial]) -> None:
    """Put a cross at the lower edge for every trial that has no cost."""
    transform = axes.get_xaxis_transform()
    for index, trial in enumerate(missing):
        label = "no cost" if index == 0 else None
        x = trial.number
        axes.plot(
            x, 0.03, "x", color=style.GOAL, mew=2, transform=transform, label=label, clip_on=False
        )


def _scale(axes: Axes, trials: Sequence[Trial], done: list[Trial]) -> None:
    from matplotlib.ticker import MaxNLocator

    last = max((trial.number for trial in trials), default=0)
    axes.set_xlim(-0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if not done:
        axes.set_yticks([])
        return
    costs = [*(_shown(trial) for trial in done)]
    costs += [float(value) for trial in done for value in _predicted(trial)[1:]]
    axes.set_ylim(0.3 * float(np.nanmin(costs)), 2.5 * float(np.nanmax(costs)))
    style.log_ticks(axes, "y")
