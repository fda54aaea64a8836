"""Cost landscape of a task as a picture, under several physics samples.

matplotlib is imported at the first call only, and without a display.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from icpi_ros.core.space import Parameter
from icpi_ros.evaluate.survey import Landscape
from icpi_ros.report.picture import save_figure
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.contour import QuadContourSet

_LEVELS = 13
_RED = "tab:red"


def save_landscape(path: str | Path, task: Task, landscape: Landscape) -> None:
    """Draw the cost under each physics draw side by side into a PNG, optima marked.

    Raises:
        UsageError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    count = len(landscape.cost)
    figure = Figure(figsize=(1.2 + 4.9 * count, 5.0), dpi=120, layout="constrained")
    panels = figure.subplots(1, count, sharex=True, sharey=True, squeeze=False)[0]
    shades = [_draw_panel(axes, task, landscape, draw) for draw, axes in enumerate(panels)]
    panels[0].set_ylabel(_axis(task.space.parameters[landscape.axes[1]]))
    figure.colorbar(
        shades[0], ax=list(panels), label="cost [mm]", ticks=_ticks(landscape), format="%g"
    )
    figure.suptitle(_title(task, landscape), fontsize=11)
    save_figure(path, figure)


def _draw_panel(axes: Axes, task: Task, landscape: Landscape, draw: int) -> QuadContourSet:
    """Draw one physics sample; return the mappable of the colour bar."""
    from matplotlib.colors import LogNorm

    low, high = _range(landscape)
    levels = np.geomspace(low, high, _LEVELS)
    cost = np.clip(1e3 * landscape.cost[draw], low, high)
    shades = axes.contourf(
        landscape.x, landscape.y, cost, levels=levels, norm=LogNorm(low, high), cmap="viridis_r"
    )
    axes.contour(
        landscape.x, landscape.y, cost, levels=levels[::2], colors="k", linewidths=0.4, alpha=0.5
    )
    _mark_optima(axes, landscape, draw)
    axes.set(xlabel=_axis(task.space.parameters[landscape.axes[0]]))
    axes.set_title(_physics(task, landscape, draw), fontsize=9)
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=2, fontsize=8, frameon=False)
    return shades


def _mark_optima(axes: Axes, landscape: Landscape, draw: int) -> None:
    """Mark this draw's optimum with a star, those of the others with rings."""
    points = landscape.best_theta[:, landscape.axes]
    others = np.delete(points, draw, axis=0)
    axes.plot(
        *points[draw], "*", markersize=15, color=_RED, markeredgecolor="white", clip_on=False,
        zorder=5, label=f"optimum, {1e3 * landscape.best_cost[draw]:.1f} mm",
    )  # fmt: skip
    if len(others):
        axes.plot(
            *others.T, "o", markersize=8, markerfacecolor="none", markeredgecolor=_RED,
            markeredgewidth=1.8, clip_on=False, zorder=4, label="optimum under the other physics",
        )  # fmt: skip


def _range(landscape: Landscape) -> tuple[float, float]:
    """Return the costs [mm] at the two ends of the colour scale."""
    costs = 1e3 * landscape.cost
    low = max(1.0, float(np.nanquantile(costs, 0.005)))
    return low, max(float(np.nanmax(costs)), 2.0 * low)


def _ticks(landscape: Landscape) -> list[float]:
    low, high = _range(landscape)
    round_numbers = [m * 10.0**k for k in range(5) for m in (1, 2, 5)]
    return [value for value in round_numbers if low <= value <= high]


def _axis(parameter: Parameter) -> str:
    return parameter.heading


def _physics(task: Task, landscape: Landscape, draw: int) -> str:
    """Name the physics of a draw, two quantities a line, and the theta that is held."""
    pairs = zip(task.physics_space.parameters, landscape.physics[draw], strict=True)
    words = [f"{p.name} {p.text(value, 3)}" for p, value in pairs]
    lines = [", ".join(words[i : i + 2]) for i in range(0, len(words), 2)]
    held = [
        f"{p.name} = {p.text(landscape.best_theta[draw, i], 3)}"
        for i, p in enumerate(task.space.parameters)
        if i not in landscape.axes
    ]
    return "\n".join([*lines, *([f"at {', '.join(held)}"] if held else [])])


def _title(task: Task, landscape: Landscape) -> str:
    goal = ", ".join(
        f"{p.name} {p.text(value, 6)}"
        for p, value in zip(task.goal_space.parameters, landscape.goal, strict=True)
    )
    return f"{task.name}: cost under {len(landscape.cost)} draws of the hidden physics, goal {goal}"
