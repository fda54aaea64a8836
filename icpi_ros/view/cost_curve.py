"""Cost of every trial as a small SVG: logarithmic, beside the interval that was predicted."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from icpi_ros.core.pictures import style
from icpi_ros.core.types import Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.view.colours import shade

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
    if not trials:
        return '<p style="padding:0 12px">no trial yet</p>'
    count = len(trials)
    trials = trials[-MAX_SHOWN:]
    axes = _Axes(trials)
    parts = [*axes.grid(), *_best(axes, trials)]
    for i, trial in enumerate(trials, count - len(trials)):
        parts += [*_interval(axes, trial), *_point(axes, trial, shade(i, count))]
    return (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="cost per trial" '
        'style="width:100%;display:block" font-family="inherit" font-size="11" '
        f'fill="currentColor">{"".join(parts)}</svg>'
    )


class _Axes:
    """Places of trials and costs in the picture."""

    def __init__(self, trials: Sequence[Trial]) -> None:
        self._numbers = [trial.number for trial in trials]
        values = [value for trial in trials for value in _drawn(trial)]
        self._low = math.floor(math.log10(min(values, default=1e-3)))
        self._high = max(math.ceil(math.log10(max(values, default=1e-1))), self._low + 1)
        self._span = max(self._numbers[-1] - self._numbers[0], 1)

    def x(self, number: int) -> float:
        """Return where a trial stands."""
        inner = WIDTH - LEFT - RIGHT - 20
        return LEFT + 10 + inner * (number - self._numbers[0]) / self._span

    def y(self, cost: float) -> float:
        """Return where a cost [m] stands."""
        share = (math.log10(max(cost, MIN_COST)) - self._low) / (self._high - self._low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * min(max(share, 0.0), 1.0)

    def grid(self) -> Iterator[str]:
        """Yield a line and a label per power of ten, and the numbers of the trials."""
        for power in range(self._low, self._high + 1):
            y, label = self.y(10.0**power), f"{10.0 ** (power + 3):g} mm"
            yield (
                f'<path d="M{LEFT} {y:.1f}H{WIDTH - RIGHT}" stroke="currentColor" '
                f'stroke-opacity=".2"/><text x="{LEFT - 4}" y="{y + 4:.1f}" '
                f'text-anchor="end">{label}</text>'
            )
        every = -(-len(self._numbers) // MAX_LABELS)
        for number in self._numbers[::every]:
            yield (
                f'<text x="{self.x(number):.1f}" y="{HEIGHT - BOTTOM + 16}" '
                f'text-anchor="middle">{number}</text>'
            )


def _drawn(trial: Trial) -> list[float]:
    """Return what an axis must hold [m]."""
    cost = trial.cost if trial.status is TrialStatus.DONE else math.nan
    predicted, std = trial.proposal.predicted_cost, trial.proposal.predicted_std
    values = (cost, predicted, predicted + std)
    return [max(value, MIN_COST) for value in values if math.isfinite(value)]


def _best(axes: _Axes, trials: Sequence[Trial]) -> Iterator[str]:
    """Yield the lowest cost so far, as steps."""
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    best, steps = math.inf, ""
    for trial in done:
        best = min(best, trial.cost)
        x, y = f"{axes.x(trial.number):.1f}", f"{axes.y(best):.1f}"
        steps += f"H{x}V{y}" if steps else f"M{x} {y}"
    if steps:
        yield f'<path d="{steps}" fill="none" stroke="currentColor" stroke-opacity=".5"/>'


def _interval(axes: _Axes, trial: Trial) -> Iterator[str]:
    predicted, std = trial.proposal.predicted_cost, trial.proposal.predicted_std
    if not math.isfinite(predicted):
        return
    std = std if math.isfinite(std) else 0.0
    x, low, high = axes.x(trial.number), axes.y(predicted - std), axes.y(predicted + std)
    yield (
        f'<path d="M{x:.1f} {low:.1f}V{high:.1f}" stroke="{style.PREDICTED}" stroke-width="9" '
        f'stroke-opacity=".3"/><path d="M{x - 7:.1f} {axes.y(predicted):.1f}h14" '
        f'stroke="{style.PREDICTED}" stroke-width="2"/>'
    )


def _point(axes: _Axes, trial: Trial, colour: tuple[int, int, int]) -> Iterator[str]:
    x = axes.x(trial.number)
    if trial.status is TrialStatus.DONE:
        fill = "#{:02x}{:02x}{:02x}".format(*colour)
        yield (
            f'<circle cx="{x:.1f}" cy="{axes.y(trial.cost):.1f}" r="4.5" fill="{fill}" '
            f'stroke="currentColor" stroke-width=".7"><title>trial {trial.number}: '
            f"{millimetres(trial.cost)}</title></circle>"
        )
    elif trial.status is not TrialStatus.RUNNING:
        y = HEIGHT - BOTTOM - 6
        yield (
            f'<path d="M{x - 4:.1f} {y - 4}l8 8m0-8l-8 8" stroke="{style.BAD}" stroke-width="2">'
            f"<title>trial {trial.number}: {trial.status.value}</title></path>"
        )
