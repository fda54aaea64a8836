"""The ranking of improvers as a picture."""

from __future__ import annotations

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
    axes.set_yticks(list(rows), [place.improver for place in places])
    axes.set_ylim(len(places) - 0.5, -0.5)
    axes.set_xscale("log")
    axes.set(xlabel="expected cost of the next trial [mm]", title="ranking, estimated")
    axes.grid(alpha=0.3, axis="x")
