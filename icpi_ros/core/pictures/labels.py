"""Labels of points in a plot that cover neither each other nor the points."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from icpi_ros.core.types import Array

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.transforms import Bbox

DISTANCES = (9.0, 20.0, 34.0, 52.0)
"""Of a label from its point, the nearest that is free [points]."""
LEADER = 12.0
"""Distance from which on a line leads to the point [points]."""
_SIDES = ((1, 0.5), (-1, 0.5), (1, -0.5), (-1, -0.5), (0, 1), (0, -1))
_ALIGNED: tuple[Literal["center", "left", "right"], ...] = ("center", "left", "right")
"""Of a text at, right of and left of its point."""
_MARK = 7.0
"""Half of the room that a point's own mark takes [points]."""


def label_points(axes: Axes, points: Array, texts: Sequence[str], **looks: Any) -> None:
    """Write a text beside each point where it covers nothing; the least covered place else.

    Args:
        axes: with everything else in it: limits and layout are final.
        points: ``(N, 2)`` in data coordinates.
        texts: one each.
        looks: of the texts.
    """
    axes.figure.draw_without_rendering()  # type: ignore[union-attr]  # texts are measured on it
    scale = axes.figure.dpi / 72.0
    pixels = axes.transData.transform(points)
    taken = [_around(place, _MARK * scale) for place in pixels]
    taken += [text.get_window_extent().padded(1.0) for text in axes.texts]
    for point, text in zip(points, texts, strict=True):
        taken.append(_placed(axes, point, text, taken, looks))


def _around(place: Array, half: float) -> Bbox:
    from matplotlib.transforms import Bbox

    return Bbox([place - half, place + half])


def _placed(axes: Axes, point: Array, text: str, taken: list[Bbox], looks: dict[str, Any]) -> Bbox:
    """Write one label at the best of its places; return what it covers."""
    inside, best = axes.get_window_extent(), (np.inf, (0.0, 0.0), _ALIGNED[0])
    label = axes.annotate(
        text, tuple(point), xytext=(0.0, 0.0), textcoords="offset points", va="center", **looks
    )
    for distance in DISTANCES:
        for x, y in _SIDES:
            side = _ALIGNED[x]
            label.set_horizontalalignment(side)
            label.xyann = (distance * x, distance * y)
            box = label.get_window_extent().padded(2.0)
            covered = sum(_shared(box, other) for other in taken)
            covered += box.width * box.height - _shared(box, inside)
            if covered + distance < best[0]:
                best = (covered + distance, label.xyann, side)
        if best[0] <= distance:
            break
    label.xyann = best[1]
    label.set_horizontalalignment(best[2])
    if np.hypot(*best[1]) > LEADER:
        axes.annotate(
            "", tuple(point), xytext=best[1], textcoords="offset points",
            arrowprops={"arrowstyle": "-", "color": looks.get("color", "0.4"), "linewidth": 0.6},
        )  # fmt: skip
    return label.get_window_extent().padded(2.0)


def _shared(a: Bbox, b: Bbox) -> float:
    """Return the area that two boxes share [px^2]."""
    width = min(a.x1, b.x1) - max(a.x0, b.x0)
    height = min(a.y1, b.y1) - max(a.y0, b.y0)
    return float(max(width, 0.0) * max(height, 0.0))
