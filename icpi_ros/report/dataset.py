"""A data set as text, and as a picture: its examples, where labels lead, what remains."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import CELLS, Dataset, coverage, fingerprint, solved_share
from icpi_ros.report.picture import save_figure
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ARROWS = 40
"""At most so many examples get an arrow: more hide each other."""
PANELS = 4
_LOWEST = 1e-3
"""Label costs below this are drawn at it [mm]: a logarithmic axis has no zero."""


def save_dataset_picture(path: str | Path, dataset: Dataset, task: Task) -> None:
    """Draw theta with its labels, the errors, and what the labels cost, into a PNG.

    Raises:
        UsageError: the file cannot be written.
    """
    from matplotlib.figure import Figure

    pairs = list(combinations(range(task.space.dim), 2))[:PANELS] or [(0, 0)]
    count = len(pairs) + 2
    rows, columns = (1, count) if count < 4 else (2, (count + 1) // 2)
    figure = Figure(figsize=(5.0 * columns, 4.6 * rows), dpi=110, layout="constrained")
    axes = list(np.atleast_1d(figure.subplots(rows, columns)).flat)
    for panel, (first, second) in zip(axes, pairs, strict=False):
        _draw_theta(panel, dataset, task.space, first, second)
    shades = _draw_errors(axes[len(pairs)], dataset, task)
    figure.colorbar(shades, ax=axes[len(pairs)], label="cost of the executed theta [mm]")
    _draw_label_costs(axes[len(pairs) + 1], dataset)
    for panel in axes[count:]:
        panel.set_axis_off()
    label = dataset.provenance.get("label", "?")
    draws = len(np.unique(dataset.group))
    figure.suptitle(
        f"{task.name}: {len(dataset)} examples, {draws} physics draws, label {label}", fontsize=11
    )
    save_figure(path, figure)


def _draw_theta(
    axes: Axes, dataset: Dataset, space: ParameterSpace, first: int, second: int
) -> None:
    """Dots where theta was executed, arrows to theta + dtheta for some of them."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Rectangle

    pair = [first, second]
    start, step = dataset.theta[:, pair], dataset.dtheta[:, pair]
    low, high = space.lower[pair], space.upper[pair]
    axes.add_patch(Rectangle((low[0], low[1]), *(high - low), fill=False, color="0.6"))
    axes.plot(*start.T, ".", color="tab:blue", markersize=4, alpha=0.6)
    some = np.unique(np.linspace(0, len(start) - 1, ARROWS).astype(np.int64))
    axes.quiver(
        *start[some].T, *step[some].T, angles="xy", scale_units="xy", scale=1.0, width=0.0028,
        headwidth=7.0, headlength=9.0, headaxislength=8.0, color="0.35", alpha=0.7,
    )  # fmt: skip
    target = start + step
    axes.plot(*target.T, ".", color="tab:orange", markersize=5)
    points = np.vstack([start, target, low, high])
    margin = 0.04 * np.ptp(points, axis=0) + 1e-9
    axes.set_xlim(points[:, 0].min() - margin[0], points[:, 0].max() + margin[0])
    axes.set_ylim(points[:, 1].min() - margin[1], points[:, 1].max() + margin[1])
    names = [space.parameters[i].heading for i in pair]
    axes.set(xlabel=names[0], ylabel=names[1], title="policy parameters")
    marks: dict[str, Any] = {"linestyle": "", "marker": "o", "markersize": 4}
    handles = [
        Line2D([], [], color="tab:blue", label="executed theta", **marks),
        Line2D([], [], color="tab:orange", label="theta + dtheta", **marks),
        Line2D([], [], color="0.35", label=f"dtheta, {len(some)} of {len(start)}"),
    ]
    axes.legend(
        handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.13), ncols=3, fontsize=8,
        frameon=False, handletextpad=0.3,
    )  # fmt: skip


def _draw_errors(axes: Axes, dataset: Dataset, task: Task) -> Any:
    """Scatter of the first two error dimensions that count in the cost."""
    counted = [int(i) for i in np.flatnonzero(task.cost_mask)][:2]
    x = dataset.error[:, counted[0]]
    y = dataset.error[:, counted[1]] if len(counted) > 1 else np.zeros(len(x))
    shades = axes.scatter(x, y, c=1e3 * dataset.cost, s=10, cmap="viridis")
    axes.plot(0.0, 0.0, "+", color="tab:red", markersize=14, markeredgewidth=2)
    axes.set(xlabel=f"error {task.error_names[counted[0]]}", title="relative errors (+ = goal)")
    axes.set_ylabel(f"error {task.error_names[counted[1]]}" if len(counted) > 1 else "")
    axes.grid(alpha=0.3)
    return shades


def _draw_label_costs(axes: Axes, dataset: Dataset) -> None:
    """Histogram of what theta + dtheta cost, one count per example."""
    axes.set(xlabel="cost of theta + dtheta [mm]", ylabel="examples", title="quality of the labels")
    known = 1e3 * dataset.label_cost[np.isfinite(dataset.label_cost)]
    if len(known) == 0:
        axes.text(0.5, 0.5, "not measured", ha="center", transform=axes.transAxes)
        return
    shown = np.maximum(known, _LOWEST)
    low, high = np.log10(shown.min()), np.log10(shown.max())
    edges = np.logspace(np.floor(low), max(np.ceil(high), np.floor(low) + 1.0), 25)
    axes.hist(shown, bins=list(edges), color="tab:orange", edgecolor="white")
    axes.set_xscale("log")
    axes.axvline(
        float(np.median(shown)), color="0.3", ls=":", label=f"median {np.median(known):.3g} mm"
    )
    axes.legend(fontsize=8)


def describe_dataset(dataset: Dataset, task: Task, source: str) -> Iterator[str]:
    """Yield the lines that say what a data set holds, covers, and how it was made."""
    yield f"{source}: {len(dataset)} examples of {task.name}"
    yield f"fingerprint: {fingerprint(dataset)}"
    yield f"arm: {', '.join(map(str, dataset.arms)) or 'unknown'}"
    groups, goals = np.unique(dataset.group), np.unique(dataset.goal, axis=0)
    yield f"physics draws: {len(groups)}, goals: {len(goals)}"
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
