"""Path of the object in every trial of a run, with the point of it that the cost counts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.core.pictures import style
from icpi_ros.core.types import Array, Trial
from icpi_ros.runs.picture.costs import colours
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MAX_LISTED = 8
"""Up to so many trials get their own entry in the legend."""
_CROWDED = 12
"""More paths than this are drawn paler."""
_SAME = 2e-3
"""Distance [m] up to which the point that counts is the path's end, or its nearest point."""
_MIN_HALF = 0.1
"""Half of the smallest window that is shown [m]."""


def draw_paths(axes: Axes, task: Task, goal: Array, trials: Sequence[Trial]) -> None:
    """Draw the path of the object in every trial.

    Args:
        axes: to draw onto.
        task: its goal space names the plane of frame ``base``.
        goal: ``(g,)`` goal of the run.
        trials: those without a trajectory are left out.
    """
    shades, plane = colours(trials), goal_plane(task, trials)
    target = goal_in(task, plane, goal)
    kinds, drawn = list[str](), list[Array]()
    strong = 0.9 if len(trials) <= _CROWDED else 0.4
    for trial in trials:
        path = path_of(trial, plane)
        if len(path):
            drawn.append(path)
            miss = miss_in(task, plane, trial)
            counted = None if target is None or miss is None else target + miss
            kinds.append(_draw_path(axes, path, counted, target, shades[trial.number], strong))
    if target is not None:
        axes.plot(*target, "+", color=style.GOAL, markersize=13, mew=2.0, zorder=5)
    _frame(axes, [*drawn, *([target[np.newaxis]] if target is not None else [])])
    names = [f"{'xyz'[index]} [m]" for index in plane]
    axes.set(xlabel=names[0], ylabel=names[1])
    axes.set_title("path of the object", pad=44)
    _legends(axes, shades, kinds[0] if kinds else "", target is not None)


def path_of(trial: Trial, plane: Sequence[int]) -> Array:
    """Return the points ``(n, 2)`` [m] at which a trial saw the object, in two coordinates."""
    if trial.trajectory is None:
        return np.empty((0, 2))
    path = trial.trajectory.positions[:, list(plane)]
    return np.asarray(path[np.isfinite(path).all(axis=1)])


def goal_plane(task: Task, trials: Sequence[Trial] = ()) -> list[int]:
    """Return the two coordinates of frame ``base`` to show.

    Those that the goal is given in; of three, those in which the object moved most; top view else.
    """
    named = ["xyz".index(name) for name in task.goal_space.names if name in ("x", "y", "z")]
    if len(named) == 3:
        paths = [t.trajectory.positions for t in trials if t.trajectory is not None]
        if paths and np.isfinite(everything := np.concatenate(paths)).any():
            spans = np.nanmax(everything, axis=0) - np.nanmin(everything, axis=0)
            return sorted(int(i) for i in np.argsort(spans)[1:])
    return named if len(named) == 2 else [0, 1]


def goal_in(task: Task, plane: Sequence[int], goal: Array) -> Array | None:
    """Return the place ``(2,)`` [m] of a goal in two coordinates; None = it has none there."""
    names = list(task.goal_space.names)
    if not all("xyz"[i] in names for i in plane):
        return None
    return np.array([goal[names.index("xyz"[i])] for i in plane])


def miss_in(task: Task, plane: Sequence[int], trial: Trial) -> Array | None:
    """Return by how much ``(2,)`` [m] a trial missed in two coordinates; None = not known."""
    names = list(task.error_names)
    wanted = [f"{'xyz'[i]} [m]" for i in plane]
    if trial.error is None or not set(wanted) <= set(names):
        return None
    return np.array([trial.error[names.index(name)] for name in wanted])


def _draw_path(
    axes: Axes,
    path: Array,
    counted: Array | None,
    target: Array | None,
    shade: str,
    strong: float,
) -> str:
    """Draw one path, pale behind the point that counts; return what that point is."""
    kind, counted = "end", path[-1] if counted is None else counted
    until = len(path)
    if np.linalg.norm(counted - path[-1]) > _SAME:
        until = 1 + int(np.argmin(np.linalg.norm(path - counted, axis=1)))
        kind = "point that counts"
        if target is not None:
            nearest = float(np.linalg.norm(path - target, axis=1).min())
            if abs(nearest - float(np.linalg.norm(counted - target))) < _SAME:
                kind = "closest approach"
        axes.plot(*path[until - 1 :].T, color=shade, linewidth=0.9, alpha=0.3)
    axes.plot(*path[:until].T, color=shade, linewidth=1.6, alpha=strong)
    axes.plot(*counted, "o", color=shade, markersize=6, zorder=4)
    axes.plot(*path[0], "s", color=style.QUIET, markersize=6, zorder=3)
    return kind


def _frame(axes: Axes, lines: list[Any]) -> None:
    """Show all points of ``lines`` ``(n, 2)`` [m], both directions in the same scale."""
    axes.set_aspect("equal", adjustable="datalim")
    points = np.vstack([np.zeros((0, 2)), *lines])
    if len(points) == 0:
        return
    low, high = points.min(axis=0), points.max(axis=0)
    half = np.maximum(0.55 * (high - low), _MIN_HALF)
    centre = 0.5 * (low + high)
    axes.update_datalim([centre - half, centre + half])
    axes.margins(0.0)
    axes.autoscale_view()


def _legends(axes: Axes, shades: dict[int, str], kind: str, has_goal: bool) -> None:
    """Put a row of trials and a row of marks above the plot."""
    from matplotlib.lines import Line2D

    def mark(marker: str, colour: str, label: str) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, color=colour, label=label, mew=1.6)

    numbers = list(shades)
    some = np.unique(np.linspace(0, len(numbers) - 1, _MAX_LISTED).astype(int))
    shown = numbers if len(numbers) <= _MAX_LISTED else [numbers[n] for n in some]
    trials = [mark("o", shades[n], f"trial {n}" if n == shown[0] else str(n)) for n in shown]
    marks = [mark("s", style.QUIET, "start")]
    marks += [mark("+", style.GOAL, "goal")] if has_goal else []
    marks += [mark("o", style.QUIET, kind)] if kind else []
    place: dict[str, Any] = {"loc": "lower left", "borderpad": 0.2, "handletextpad": 0.1}
    if trials:
        row = axes.legend(
            handles=trials, bbox_to_anchor=(-0.02, 1.06), ncols=len(trials), columnspacing=0.5,
            handlelength=1.0, **place,
        )  # fmt: skip
        axes.add_artist(row)
    axes.legend(handles=marks, bbox_to_anchor=(-0.02, 0.99), ncols=3, columnspacing=1.0, **place)
