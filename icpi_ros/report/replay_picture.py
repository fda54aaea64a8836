"""The ranking of improvers as a picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from icpi_ros.offline.ranking import Place

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_FLOOR = 1e-2
"""Costs [mm] below this are drawn at it: a logarithmic axis has no zero."""


def draw_ranking(axes: Axes, places: Sequence[Place]) -> None:
    """Draw expected costs with their intervals, the best improver on top."""
    rows = range(len(places))
    for row, place in zip(rows, places, strict=True):
        low, cost, high = (
            max(1e3 * value, _FLOOR) for value in (place.low, place.cost, place.high)
        )
        axes.plot([low, high], [row, row], color="tab:blue", linewidth=2.0, alpha=0.6)
        axes.plot(cost, row, "o", color="tab:blue", markersize=6)
        axes.annotate(
            place.improver, (low, row), xytext=(0, 5), textcoords="offset points", fontsize=9
        )
    axes.set_yticks([])
    axes.set_ylim(len(places) - 0.5, -0.8)
    axes.set_xscale("log")
    low, high = (math.log10(value) for value in axes.get_xlim())
    axes.set_xlim(10.0 ** math.floor(low), 10.0 ** math.ceil(high))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.set(xlabel="expected cost of the next trial [mm]", title="ranking, estimated")
    axes.grid(alpha=0.3, axis="x")
