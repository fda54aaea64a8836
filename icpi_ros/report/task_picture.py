"""Cost landscape of a task as a picture, under several physics samples.

matplotlib is imported at the first call only, and without a display.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from icpi_ros.core.pictures import style
from icpi_ros.core.space import Parameter
from icpi_ros.core.types import Array
from icpi_ros.core.units import millimetres
from icpi_ros.evaluate.survey import Landscape
from icpi_ros.report.picture import save_figure
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import QuadMesh

FINER = 8
"""The errors are interpolated on a grid this much finer."""
_SMALL = 1e-5
"""Costs below this are not told apart in words [m]."""
_MIN_COST = 0.5
"""Costs below this have one colour [mm]."""


def save_landscape(path: str | Path, task: Task, landscape: Landscape) -> None:
    """Draw the cost under each physics sample side by side into a PNG, optima marked.

    Raises:
        UsageError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    count = len(landscape.cost)
    with style.settings():
        figure = Figure(figsize=(1.4 + 5.4 * count, 5.6), dpi=120, layout="constrained")
        panels = figure.subplots(1, count, sharex=True, sharey=True, squeeze=False)[0]
        shades = [_draw_panel(axes, task, landscape, n) for n, axes in enumerate(panels)]
        panels[0].set_ylabel(_axis(task.space.parameters[landscape.axes[1]]))
        figure.colorbar(
            shades[0], ax=list(panels), label="cost [mm]", ticks=_ticks(landscape), format="%g"
        )
        figure.suptitle(_title(task, landscape), x=0.01, ha="left")
        save_figure(path, figure)


def _draw_panel(axes: Axes, task: Task, landscape: Landscape, n: int) -> QuadMesh:
    """Draw one physics sample; return the mappable of the colour bar."""
    from matplotlib.colors import LogNorm

    low, high = _range(landscape)
    x, y, cost = finer(landscape, n)
    shown = np.clip(1e3 * cost, low, high)
    shades = axes.pcolormesh(
        x, y, shown, norm=LogNorm(low, high), cmap=style.cost_map(), shading="gouraud",
        rasterized=True,
    )  # fmt: skip
    lines = axes.contour(
        x, y, shown, levels=_ticks(landscape), colors=style.INK, linewidths=0.6, alpha=0.6
    )
    axes.clabel(lines, fmt="%g", fontsize=8.5)
    _mark_optima(axes, landscape, n)
    axes.set(xlabel=_axis(task.space.parameters[landscape.axes[0]]))
    axes.grid(visible=False)
    axes.set_title(_physics(task, landscape, n), fontsize=9.5, fontweight="normal")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=2)
    return shades


def finer(landscape: Landscape, n: int) -> tuple[Array, Array, Array]:
    """Return x, y and costs [m] of one sample on a finer grid.

    The errors are interpolated, not their norm, which has a kink at the optimum.  Where the arm
    cannot execute some of the motions, or a cost is not the norm of the errors, the grid stays.
    """
    from scipy.interpolate import RectBivariateSpline

    x, y, cost, error = landscape.x, landscape.y, landscape.cost[n], landscape.error[n]
    if not np.allclose(np.linalg.norm(error, axis=-1), cost) or min(len(x), len(y)) < 4:
        return x, y, cost
    fine_x, fine_y = (np.linspace(v[0], v[-1], FINER * (len(v) - 1) + 1) for v in (x, y))
    parts = [RectBivariateSpline(y, x, part)(fine_y, fine_x) for part in np.moveaxis(error, -1, 0)]
    return fine_x, fine_y, np.asarray(np.linalg.norm(parts, axis=0))


def _mark_optima(axes: Axes, landscape: Landscape, n: int) -> None:
    """Mark this sample's optimum with a star, those of the others with rings."""
    points = landscape.best_theta[:, landscape.axes]
    others = np.delete(points, n, axis=0)
    axes.plot(
        *points[n], "*", markersize=16, color=style.PAPER, markeredgecolor=style.INK,
        clip_on=False, zorder=5, linestyle="",
        label=f"optimum, {_cost_text(float(landscape.best_cost[n]))}",
    )  # fmt: skip
    if len(others):
        axes.plot(
            *others.T, "o", markersize=9, markerfacecolor="none", markeredgecolor=style.PREDICTED,
            markeredgewidth=2.0, clip_on=False, zorder=4, label="optimum under the other physics",
        )  # fmt: skip


def _cost_text(metres: float) -> str:
    return millimetres(metres) if metres >= _SMALL else f"below {millimetres(_SMALL)}"


def _range(landscape: Landscape) -> tuple[float, float]:
    """Return the costs [mm] at the two ends of the colour scale."""
    costs = 1e3 * landscape.cost
    low = max(_MIN_COST, min(1e3 * float(landscape.best_cost.min()), float(np.nanmin(costs))))
    return low, max(float(np.nanmax(costs)), 2.0 * low)


def _ticks(landscape: Landscape) -> list[float]:
    low, high = _range(landscape)
    round_numbers = [m * 10.0**k for k in range(5) for m in (1, 2, 5)]
    return [value for value in round_numbers if low <= value <= high]


def _axis(parameter: Parameter) -> str:
    return parameter.heading


def _physics(task: Task, landscape: Landscape, n: int) -> str:
    """Name the physics of a sample, two quantities a line, and the theta that is held."""
    pairs = zip(task.physics_space.parameters, landscape.physics[n], strict=True)
    words = [f"{p.name} {p.text(value, 3)}" for p, value in pairs]
    lines = [", ".join(words[i : i + 2]) for i in range(0, len(words), 2)]
    held = [
        f"{p.name} = {p.text(landscape.best_theta[n, i], 3)}"
        for i, p in enumerate(task.space.parameters)
        if i not in landscape.axes
    ]
    return "\n".join([*lines, *([f"at {', '.join(held)}"] if held else [])])


def _title(task: Task, landscape: Landscape) -> str:
    goal = ", ".join(
        f"{p.name} {p.text(value, 6)}"
        for p, value in zip(task.goal_space.parameters, landscape.goal, strict=True)
    )
    return f"{task.name}: cost under {len(landscape.cost)} samples of the physics, goal {goal}"
