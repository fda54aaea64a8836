"""Data set as text, and as a picture: examples, labels, and the costs after them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.core.pictures import style
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array, Indices
from icpi_ros.core.units import millimetres
from icpi_ros.learn.dataset.dataset import (
    CELLS,
    Dataset,
    count_paths,
    coverage,
    fingerprint,
    paths_fingerprint,
    solved_share,
)
from icpi_ros.learn.outcome.path_samples import count_pathless
from icpi_ros.report.picture import save_figure
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap

ARROWS = 8
"""At most so many examples get an arrow: more hide each other."""
PANELS = 4
_DENSE = "#8d98a5"
"""Where examples are densest."""
BINS, SMOOTH = 60, 3.5
"""Cells of a density along each axis, and the width of the smoothing over them [cells]."""
_LOWEST = 1e-3
"""Label costs below this are drawn at it [mm]: a logarithmic axis has no zero."""


def save_dataset_picture(path: str | Path, dataset: Dataset, task: Task) -> None:
    """Draw the density of theta with some labels, the errors, and the labels' costs, into a PNG.

    Raises:
        UsageError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    pairs = list(combinations(range(task.space.dim), 2))[:PANELS] or [(0, 0)]
    count = len(pairs) + 2
    rows, columns = (1, count) if count < 4 else (2, (count + 1) // 2)
    with style.settings():
        size = (5.0 * columns, 4.9 * rows)
        figure = Figure(figsize=size, dpi=110, layout="constrained")
        axes = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
        for panel, (first, second) in zip(axes, pairs, strict=False):
            _draw_theta(panel, dataset, task.space, first, second)
        _draw_errors(axes[len(pairs)], dataset, task)
        _draw_label_costs(axes[len(pairs) + 1], dataset)
        for panel in axes[count:]:
            panel.set_axis_off()
        label = dataset.provenance.get("label", "?")
        samples = len(np.unique(dataset.group))
        figure.suptitle(
            f"{task.name}: {len(dataset)} examples, {samples} physics samples, label {label}",
            x=0.01, ha="left",
        )  # fmt: skip
        save_figure(path, figure)


def _draw_theta(
    axes: Axes, dataset: Dataset, space: ParameterSpace, first: int, second: int
) -> None:
    """Draw the density of the executed thetas and all targets, and arrows between some of them."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    pair = [first, second]
    start, step = dataset.theta[:, pair], dataset.dtheta[:, pair]
    low, high = space.lower[pair], space.upper[pair]
    target = start + step
    _draw_density(axes, start, low, high)
    axes.plot(*target.T, "o", color=style.DEFAULT, markersize=3.5, alpha=0.4, mew=0)
    some = _spread_out(start, low, high)
    axes.quiver(
        *start[some].T, *step[some].T, angles="xy", scale_units="xy", scale=1.0, width=0.004,
        headwidth=5.0, headlength=6.0, headaxislength=5.5, color=style.SEQUENCE[1],
    )  # fmt: skip
    points = np.vstack([target, low, high])
    margin = 0.03 * np.ptp(points, axis=0) + 1e-9
    axes.set_xlim(points[:, 0].min() - margin[0], points[:, 0].max() + margin[0])
    axes.set_ylim(points[:, 1].min() - margin[1], points[:, 1].max() + margin[1])
    names = [space.parameters[i].heading for i in pair]
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.set_title("policy parameters", pad=24)
    axes.grid(visible=False)
    handles = [
        Patch(color=_DENSE, label="executed"),
        Line2D([], [], linestyle="", marker="o", ms=4, color=style.DEFAULT, label="+ label"),
        Line2D([], [], color=style.SEQUENCE[1], label=f"{len(some)} of {len(start)} labels"),
    ]
    _row_above(axes, handles)


def _draw_density(axes: Axes, points: Array, low: Array, high: Array) -> None:
    """Draw the smoothed density of points ``(N, 2)`` in a box."""
    from scipy.ndimage import gaussian_filter

    edges = [np.linspace(a, b, BINS + 1) for a, b in zip(low, high, strict=True)]
    counts, _, _ = np.histogram2d(points[:, 0], points[:, 1], bins=edges)
    smooth = gaussian_filter(counts, SMOOTH, mode="nearest")
    axes.imshow(
        smooth.T, extent=(low[0], high[0], low[1], high[1]), origin="lower", aspect="auto",
        cmap=_greys(), interpolation="bilinear", vmin=0.0, vmax=max(float(smooth.max()), 1e-12),
    )  # fmt: skip


def _greys() -> Colormap:
    """Return the map of a density: nothing is paper."""
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("icpi density", (style.PAPER, _DENSE))


def _spread_out(points: Array, low: Array, high: Array) -> Indices:
    """Return a few of the points ``(N, 2)``, far apart: each the farthest from those before it."""
    scaled = (points - low) / np.maximum(high - low, 1e-12)
    chosen = [int(np.argmin(np.linalg.norm(scaled - 0.5, axis=1)))]
    distance = np.linalg.norm(scaled - scaled[chosen[0]], axis=1)
    while len(chosen) < min(ARROWS, len(points)) and distance.max() > 0.0:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(scaled - scaled[chosen[-1]], axis=1))
    return np.array(chosen)


def _row_above(axes: Axes, handles: list[Any]) -> None:
    """Put a legend in one row between a plot and its title."""
    axes.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=len(handles),
        borderpad=0.2, columnspacing=1.0, handlelength=1.2,
    )  # fmt: skip


def _draw_errors(axes: Axes, dataset: Dataset, task: Task) -> None:
    """Draw the density of the first two error dimensions that count in the cost."""
    counted = [int(i) for i in np.flatnonzero(task.cost_mask)][:2]
    x = dataset.error[:, counted[0]]
    y = dataset.error[:, counted[1]] if len(counted) > 1 else np.zeros(len(x))
    points = np.column_stack([x, y])
    low, high = points.min(axis=0), points.max(axis=0)
    room = 0.05 * (high - low) + 1e-9
    _draw_density(axes, points, low - room, high + room)
    axes.plot(x, y, "o", color=style.QUIET, markersize=2, alpha=0.4, mew=0)
    axes.plot(0.0, 0.0, "+", color=style.GOAL, markersize=16, markeredgewidth=2.2)
    axes.set(xlabel=f"error {task.error_names[counted[0]]}; + is the goal")
    axes.set_ylabel(f"error {task.error_names[counted[1]]}" if len(counted) > 1 else "")
    median = millimetres(float(np.median(dataset.cost)))
    axes.set_title(f"cost before the label, median {median}", pad=24)
    axes.grid(visible=False)


def _draw_label_costs(axes: Axes, dataset: Dataset) -> None:
    """Draw a histogram of the costs of theta + dtheta, one count per example."""
    axes.set(xlabel="cost of theta + dtheta [mm]", ylabel="examples")
    known = 1e3 * dataset.label_cost[np.isfinite(dataset.label_cost)]
    if len(known) == 0:
        axes.set_title("cost after the label: not measured", pad=24)
        return
    shown = np.maximum(known, _LOWEST)
    low, high = np.log10(shown.min()), np.log10(shown.max())
    edges = np.logspace(np.floor(low), max(np.ceil(high), np.floor(low) + 1.0), 25)
    axes.hist(shown, bins=list(edges), color=style.DEFAULT, edgecolor=style.PAPER)
    axes.set_xscale("log")
    axes.axvline(float(np.median(shown)), color=style.INK, ls=":")
    style.log_ticks(axes, "x")
    median = millimetres(1e-3 * float(np.median(known)))
    axes.set_title(f"cost after the label, median {median}", pad=24)


def describe_dataset(dataset: Dataset, task: Task, source: str) -> Iterator[str]:
    """Yield the content, coverage and provenance of a data set as lines."""
    yield f"{source}: {len(dataset)} examples of {task.name}"
    yield f"fingerprint: {fingerprint(dataset)}"
    yield f"arm: {', '.join(map(str, dataset.arms)) or 'unknown'}"
    groups, goals = np.unique(dataset.group), np.unique(dataset.goal, axis=0)
    yield f"physics draws: {len(groups)}, goals: {len(goals)}"
    yield known_text(dataset)
    yield from _ranges(dataset, task)
    yield f"cost: {_costs(dataset.cost)}"
    known = dataset.label_cost[np.isfinite(dataset.label_cost)]
    yield f"cost after the label: {_costs(known) if len(known) else 'not measured'}"
    yield f"labels inside the box of theta: {100 * solved_share(dataset, task.space):.0f} %"
    yield f"coverage: cells of a {CELLS}-per-parameter grid over the box that hold an example"
    for names, share in coverage(dataset, task.space).items():
        yield f"  {' x '.join(names)}: {100 * share:.0f} %"
    yield "provenance:"
    for key, value in dataset.provenance.items():
        yield f"  {key}: {value if isinstance(value, str) else json.dumps(value)}"


def known_text(dataset: Dataset) -> str:
    """Return of how many examples the object's path is known, up to when, and their hash."""
    if dataset.path_times is None:
        return "paths: none"
    counts, times = count_paths(dataset), dataset.path_times
    without, samples = count_pathless(dataset)
    none = f"none in {without} of {samples} physics samples; " if without else ""
    return (
        f"paths: {counts['examples']} of {len(dataset)} examples, {counts['labels']} of their "
        f"labels; {len(times)} places up to {times[-1]:g} s; {none}fingerprint "
        f"{paths_fingerprint(dataset)}"
    )


def _ranges(dataset: Dataset, task: Task) -> Iterator[str]:
    space, goals = task.space.parameters, task.goal_space.parameters
    d_units = [p.shown_unit for p in space]
    for label, values, names, units in (
        ("theta", dataset.theta, task.space.names, d_units),
        ("dtheta", dataset.dtheta, task.space.names, d_units),
        ("error", dataset.error, task.error_names, ("",) * len(task.error_names)),
        ("goal", dataset.goal, task.goal_space.names, [p.shown_unit for p in goals]),
    ):
        for name, unit, column in zip(names, units, values.T, strict=True):
            text = f"{label} {name}: {column.min():.4g} to {column.max():.4g} {unit}"
            yield text.rstrip()


def _costs(costs: Array) -> str:
    mm = 1e3 * costs
    median, high = np.percentile(mm, [50, 95])
    return (
        f"mean {mm.mean():.2f} mm, median {median:.2f}, 95 % below {high:.2f}, worst {mm.max():.2f}"
    )
