"""Reach of an arm in a task as a picture: the theta box, and the strikes from above.

matplotlib is imported at the first call only, and without a display.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from icpi_ros.core.pictures import style
from icpi_ros.core.types import Array
from icpi_ros.report.picture import save_figure
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.reach import Reach

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.patches import Patch, Polygon

MAX_PATHS = 60
"""Tool paths that are drawn, evenly chosen: more hide each other."""
_REASONS = tuple(style.CATEGORIES[n] for n in (0, 5, 4, 2, 8, 3, 7, 9))
"""For reasons, the most common first, none of them green; the last is for all that follow."""
_PALE = "#d8f0e0"
"""Possible motions that are far from every limit; the darker, the nearer."""


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

    with style.settings():
        figure = Figure(figsize=(12.6, 5.6), dpi=110, layout="constrained")
        left, right = figure.subplots(1, 2, width_ratios=(1.15, 1.0))
        kinds = _kinds(found)
        shades = draw_map(left, task, found)
        figure.colorbar(shades, ax=left, label="possible: nearest joint limit reached [%]")
        _draw_paths(right, arm, found, kinds)
        figure.legend(handles=_handles(kinds), loc="outside lower left", ncols=4)
        figure.suptitle(_title(found), x=0.01, ha="left")
        save_figure(path, figure)


def _title(found: Reach) -> str:
    """Return the verdict: the share of possible motions, and the most common reason."""
    share = found.possible / len(found.thetas)
    text = f"{found.arm} can do {share:.0%} of {len(found.thetas)} motions of {found.task}"
    reason = next(iter(found.shares.items()), None)
    return text if reason is None else f"{text}; {reason[1]:.0%} refused: {reason[0]}"


def _kinds(found: Reach) -> dict[str, tuple[str, str]]:
    """Return colour and label per reason of refusal; "" = possible."""
    kinds = {"": (style.GOOD, f"possible, {found.possible / len(found.thetas):.0%}")}
    last = len(_REASONS) - 1
    for i, (reason, share) in enumerate(found.shares.items()):
        kinds[reason] = (_REASONS[min(i, last)], f"{reason}, {share:.0%}")
    return kinds


def _handles(kinds: dict[str, tuple[str, str]]) -> list[Patch]:
    from matplotlib.patches import Patch

    return [Patch(color=colour, label=label) for colour, label in kinds.values()]


def draw_map(axes: Axes, task: Task, found: Reach) -> ScalarMappable:
    """Draw a map over the first two parameters; return the scale of possible motions.

    A cell is the mean over all further parameters: the colour of its reasons shines through where
    only some of the motions are possible.
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LinearSegmentedColormap, Normalize, to_rgb

    kinds = _kinds(found)
    possible = LinearSegmentedColormap.from_list("icpi loads", (_PALE, style.GOOD))
    scale = ScalarMappable(Normalize(0.0, 100.0), possible)
    shades = np.array(
        [
            possible(min(load, 1.0))[:3] if not reason else to_rgb(kinds[reason][0])
            for reason, load in zip(found.reasons, found.loads, strict=True)
        ]
    )
    x, y, image = _cells(found, shades)
    axes.pcolormesh(x, y, image, rasterized=True)
    names = [p.heading for p in task.space.parameters]
    axes.set(xlabel=names[0], ylabel=names[1] if len(names) > 1 else "")
    if len(names) < 2:
        axes.set_yticks([])
    more = f", mean over {', '.join(names[2:])}" if len(names) > 2 else ""
    axes.set_title(f"policy parameters theta{more}")
    axes.grid(visible=False)
    return scale


def _cells(found: Reach, shades: Array) -> tuple[Array, Array, Array]:
    """Return the edges of the cells of a map, and its colours ``(rows, columns, 3)``."""
    count = found.points
    layers = shades.reshape(count, *((count,) if found.thetas.shape[1] > 1 else (1,)), -1, 3)
    image = layers.mean(axis=2).transpose(1, 0, 2)
    x = _edges(found.thetas[:, 0])
    y = _edges(found.thetas[:, 1]) if found.thetas.shape[1] > 1 else np.array([0.0, 1.0])
    return x, y, image


def _edges(values: Array) -> Array:
    """Return the edges of cells around the different ones of ``values``."""
    centres = np.unique(values)
    half = 0.5 * (centres[1] - centres[0])
    return np.append(centres - half, centres[-1] + half)


def _draw_paths(axes: Axes, arm: Arm, found: Reach, kinds: dict[str, tuple[str, str]]) -> None:
    """Draw some of the tool's paths from above: refused ones below the possible ones."""
    some = np.unique(np.linspace(0, len(found.paths) - 1, MAX_PATHS).astype(int))
    spine = np.array([*arm.links(arm.home)[1:, :3, 3], arm.tool_pose(arm.home)[0]])
    axes.plot(*spine[:, :2].T, "o-", color=style.QUIET, linewidth=4.0, markersize=6, alpha=0.5)
    for i in sorted(some, key=lambda i: found.reasons[i] == ""):
        colour = kinds[found.reasons[i]][0]
        axes.plot(*found.paths[i][:, :2].T, color=colour, linewidth=0.9, alpha=0.7)
    low, high = arm.limits.workspace_lower, arm.limits.workspace_upper
    axes.set_aspect("equal", adjustable="datalim")
    axes.add_artist(_workspace(low, high))  # not a patch: what lies beyond the paths may be cut
    axes.set(xlabel="x [m]", ylabel="y [m]")
    axes.set_title(f"tool from above ({len(some)} of {len(found.paths)} motions), arm at home")


def _workspace(low: Array, high: Array) -> Polygon:
    """Return the workspace's border, dashed."""
    from matplotlib.patches import Polygon

    corners = [(low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1])]
    return Polygon(corners, fill=False, edgecolor=style.QUIET, linestyle="--", linewidth=1.0)
