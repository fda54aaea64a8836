"""Cost of every trial as a small SVG: logarithmic, beside the interval that was predicted."""

from __future__ import annotations

import math
from collections.abc import Sequence

from icpi_ros.core.html import template
from icpi_ros.core.pictures import style
from icpi_ros.core.types import Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.view.colours import shades

WIDTH, HEIGHT = 360, 210
LEFT, RIGHT, TOP, BOTTOM = 64, 12, 10, 30
MIN_COST = 1e-6
"""Costs [m] below this are drawn at it: a logarithmic axis has no zero."""
MAX_SHOWN = 200
"""Most trials that are drawn, the newest ones."""
MAX_LABELS = 12
"""Most trials that have their number below the axis."""


def cost_curve(trials: Sequence[Trial]) -> str:
    """Return the costs as markup; a bar is the predicted cost with one standard deviation."""
    count = len(trials)
    trials = trials[-MAX_SHOWN:]
    axes = _Axes(trials)
    first = count - len(trials)
    shown, colours = list(enumerate(trials, first)), shades(count)
    return template("cost_curve.svg").render(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        predicted=style.PREDICTED,
        bad=style.BAD,
        levels=axes.levels(),
        numbers=axes.numbers(),
        best=_best(axes, trials),
        intervals=[found for _, trial in shown for found in _interval(axes, trial)],
        points=[_point(axes, trial, colours[i]) for i, trial in shown if _is_done(trial)],
        failed=[_failure(axes, trial) for _, trial in shown if _has_failed(trial)],
    )


class _Axes:
    """Places of trials and costs in the picture."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._numbers = [trial.number for trial in trials]
        values = [value for trial in trials for value in _drawn(trial)]
        self._low = math.floor(math.log10(min(values, default=1e-3)))
        self._high = max(math.ceil(math.log10(max(values, default=1e-1))), self._low + 1)
        self._span = max(self._numbers[-1] - self._numbers[0], 1) if self._numbers else 1

    def x(self, number: int) -> float:
        """Return where a trial stands."""
        inner = WIDTH - LEFT - RIGHT - 20
        return round(LEFT + 10 + inner * (number - self._numbers[0]) / self._span, 1)

    def y(self, cost: float) -> float:
        """Return where a cost [m] stands."""
        share = (math.log10(max(cost, MIN_COST)) - self._low) / (self._high - self._low)
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(share, 0.0), 1.0), 1)

    def levels(self) -> list[tuple[float, str]]:
        """Return place and label of every power of ten."""
        powers = range(self._low, self._high + 1)
        return [(self.y(10.0**power), f"{10.0 ** (power + 3):g} mm") for power in powers]

    def numbers(self) -> list[tuple[float, int]]:
        """Return place and number of the trials that have theirs below the axis."""
        every = -(-len(self._numbers) // MAX_LABELS) or 1
        return [(self.x(number), number) for number in self._numbers[::every]]


def _is_done(trial: Trial) -> bool:
    return trial.status is TrialStatus.DONE


def _has_failed(trial: Trial) -> bool:
    return trial.status not in (TrialStatus.DONE, TrialStatus.RUNNING)


def _drawn(trial: Trial) -> list[float]:
    """Return what an axis must hold [m]."""
    cost = trial.cost if trial.status is TrialStatus.DONE else math.nan
    predicted, std = trial.proposal.predicted_cost, trial.proposal.predicted_std
    values = (cost, predicted, predicted + std)
    return [max(value, MIN_COST) for value in values if math.isfinite(value)]


def _best(axes: _Axes, trials: Sequence[Trial]) -> str:
    """Return the path of the lowest cost so far, as steps; empty if no trial is done."""
    best, steps = math.inf, ""
    for trial in filter(_is_done, trials):
        best = min(best, trial.cost)
        x, y = axes.x(trial.number), axes.y(best)
        steps += f"H{x}V{y}" if steps else f"M{x} {y}"
    return steps


def _interval(axes: _Axes, trial: Trial) -> list[tuple[float, float, float, float]]:
    """Return x, lower end, middle and upper end of a prediction, if there is one."""
    predicted, std = trial.proposal.predicted_cost, trial.proposal.predicted_std
    if not math.isfinite(predicted):
        return []
    std = std if math.isfinite(std) else 0.0
    ends = (axes.y(predicted - std), axes.y(predicted), axes.y(predicted + std))
    return [(axes.x(trial.number), *ends)]


def _point(axes: _Axes, trial: Trial, colour: str) -> tuple[float, float, str, str]:
    """Return x, y, colour and title of a trial that is done."""
    title = f"trial {trial.number}: {millimetres(trial.cost)}"
    return axes.x(trial.number), axes.y(trial.cost), colour, title


def _failure(axes: _Axes, trial: Trial) -> tuple[float, float, str]:
    """Return x, y and title of a trial without a cost."""
    title = f"trial {trial.number}: {trial.status.value}"
    return axes.x(trial.number), float(HEIGHT - BOTTOM - 6), title
