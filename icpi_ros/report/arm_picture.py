"""Reach of an arm in a task as a picture: the theta box, and the strikes from above.

matplotlib is imported at the first call only, and without a display.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.report.picture import save_figure
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.reach import Reach

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_POSSIBLE = "#2a9d5c"
_COLOURS = (
    "#d1495b", "#edae49", "#30638e", "#8d5a97", "#00798c", "#7a5c3e", "#e377c2", "#9aa0a6",
)  # fmt: skip
"""For reasons, the most common first; the last is for all that follow."""


def save_reach(path: str | Path, task: Task, arm: Arm, found: Reach) -> None:
    """Draw the reach of an arm into an SVG or PNG.

    Args:
        path: file to write; its ending is the format.
        task: whose theta box it is.
        arm: its workspace and home are drawn.
        found: the grid.

    Raises:
        UsageError: another format, or the file cannot be written.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12.0, 5.6), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    kinds = _kinds(found)
    _draw_box(left, task, found, kinds)
    _draw_paths(right, arm, found, kinds)
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    share = found.possible / len(found.thetas)
    figure.suptitle(f"{found.arm}, task {found.task}: {share:.0%} of {len(found.thetas)} motions")
    save_figure(path, figure)


def _kinds(found: Reach) -> dict[str, tuple[str, str]]:
    """Return colour and label per reason of refusal; "" = possible."""
    total = len(found.thetas)
    kinds = {"": (_POSSIBLE, f"possible, {found.possible / total:.0%}")}
    for i, (reason, share) in enumerate(found.shares.items()):
        kinds[reason] = (_COLOURS[min(i, len(_COLOURS) - 1)], f"{reason}, {share:.0%}")
    return kinds


def _draw_box(axes: Axes, task: Task, found: Reach, kinds: dict[str, tuple[str, str]]) -> None:
    """Draw the first two parameters; further ones are squares in squares."""
    names = [p.heading for p in task.space.parameters[:2]]
    flat = np.pad(found.thetas, ((0, 0), (0, 1)))[:, :2]  # a task may have one parameter
    layers = max(1, len(flat) // found.points**2)
    size = (260.0 / found.points * (1.0 - np.arange(len(flat)) % layers / layers)) ** 2
    for reason, (colour, label) in kinds.items():
        chosen = np.array([other == reason for other in found.reasons])
        x, y = flat[chosen].T
        axes.scatter(x, y, size[chosen], colour, marker="s", label=label, linewidths=0)
    axes.set(xlabel=names[0], ylabel=names[-1] if len(names) > 1 else "", title="theta")
    axes.margins(0.06)


def _draw_paths(axes: Axes, arm: Arm, found: Reach, kinds: dict[str, tuple[str, str]]) -> None:
    """Draw the tool's paths from above: refused ones below the possible ones."""
    order = sorted(range(len(found.paths)), key=lambda i: found.reasons[i] == "")
    for i in order:
        axes.plot(*found.paths[i][:, :2].T, color=kinds[found.reasons[i]][0], linewidth=0.6)
    low, high = arm.limits.workspace_lower, arm.limits.workspace_upper
    axes.plot(*_rectangle(low, high), color="0.5", linestyle="--", linewidth=1.0)
    spine = np.array([*arm.links(arm.home)[1:, :3, 3], arm.tool_pose(arm.home)[0]])
    axes.plot(*spine[:, :2].T, "o-", color="0.25", linewidth=2.0, markersize=4, alpha=0.6)
    axes.set(xlabel="x [m]", ylabel="y [m]", title="tool from above; arm at home, workspace dashed")
    axes.set_aspect("equal")


def _rectangle(low: Array, high: Array) -> tuple[list[float], list[float]]:
    x, y = (float(low[0]), float(high[0])), (float(low[1]), float(high[1]))
    return [x[0], x[1], x[1], x[0], x[0]], [y[0], y[0], y[1], y[1], y[0]]
