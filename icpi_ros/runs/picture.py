"""Picture of a run: the path of the object and the cost of every trial.

matplotlib is imported at the first call only, and without a display.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.core.types import Array, Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

GOAL_RADIUS = 0.02
"""Radius of the circle that is drawn around the goal [m]."""
_MAX_LABELLED = 12
"""Most trials that get their number beside the path's end."""
_GREY, _RED, _BLUE = "0.35", "tab:red", "tab:blue"
_FLOOR = 1e-3
"""Costs [mm] below this are drawn at it: a logarithmic axis has no zero."""


def draw(task: Task, goal: Array, trials: Sequence[Trial]) -> Figure:
    """Return the picture as a figure that notebooks show.

    Args:
        task: of the run; its goal space names the plane of frame ``base``.
        goal: ``(g,)`` goal of the run.
        trials: at least none; those without a trajectory are only listed.
    """
    figure = _notebook_figure()(figsize=(11.0, 5.4), dpi=120, layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.0, 1.15))
    draw_paths(left, task, goal, trials)
    draw_costs(right, trials)
    figure.suptitle(_title(task, trials), fontsize=11)
    return figure


@functools.cache
def _notebook_figure() -> type[Figure]:
    """Return the class of figures that IPython shows, whether or not pyplot was set up there."""
    from matplotlib.figure import Figure  # lazily: half a second

    class NotebookFigure(Figure):
        def _repr_png_(self) -> bytes:
            buffer = BytesIO()
            self.savefig(buffer, format="png")
            return buffer.getvalue()

    return NotebookFigure


def _title(task: Task, trials: Sequence[Trial]) -> str:
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    if not done:
        return f"{task.name}: no trial was observed"
    best = min(done, key=lambda trial: trial.cost)
    seen = f"{len(done)} of {len(trials)} trials observed"
    return f"{task.name}: best {millimetres(best.cost)} in trial {best.number} ({seen})"


def _colours(trials: Sequence[Trial]) -> dict[int, Any]:
    """Return a colour per trial number, from dark (first) to bright (last)."""
    from matplotlib import colormaps

    shades = colormaps["viridis"](np.linspace(0.0, 0.9, max(len(trials), 2)))
    return {trial.number: shade for trial, shade in zip(trials, shades, strict=False)}


# --- left: paths --------------------------------------------------------------------------------


def draw_paths(axes: Axes, task: Task, goal: Array, trials: Sequence[Trial]) -> None:
    """Draw the path of the object in every trial; arguments as in :func:`draw`."""
    colours, plane = _colours(trials), _plane(task)
    ends = []
    for trial in trials:
        if trial.trajectory is None:
            continue
        path = trial.trajectory.positions[:, plane]
        path = path[np.isfinite(path).all(axis=1)]
        if len(path):
            ends.append((trial.number, path[-1]))
            axes.plot(*path.T, color=colours[trial.number], linewidth=1.2, alpha=0.8)
            axes.plot(*path[-1], "o", color=colours[trial.number], markersize=5, zorder=3)
            axes.plot(*path[0], "s", color=_GREY, markersize=6, zorder=2)
    if len(goal) == len(plane):
        _draw_goal(axes, goal)
        _label_ends(axes, goal, ends, len(trials))
    _frame(axes, [line.get_xydata() for line in axes.lines])
    names = [f"{'xyz'[index]} [m]" for index in plane]
    axes.set(xlabel=names[0], ylabel=names[1], title="object paths, frame base")
    axes.grid(alpha=0.3)
    _legend_of_paths(axes)


def _frame(axes: Axes, lines: list[Any]) -> None:
    """Show all points of ``lines`` ``(n, 2)`` [m] in a square with room at its border."""
    points = np.vstack([np.zeros((0, 2)), *lines])
    if len(points) == 0:
        return
    low, high = points.min(axis=0), points.max(axis=0)
    half = max(0.58 * float((high - low).max()), 5.0 * GOAL_RADIUS)
    centre = 0.5 * (low + high)
    axes.set(xlim=(centre[0] - half, centre[0] + half), ylim=(centre[1] - half, centre[1] + half))
    axes.set_aspect("equal")


def _plane(task: Task) -> list[int]:
    """Return the two coordinates of frame ``base`` that the goal is given in; top view else."""
    named = ["xyz".index(name) for name in task.goal_space.names if name in ("x", "y", "z")]
    return named if len(named) == 2 else [0, 1]


def _draw_goal(axes: Axes, goal: Array) -> None:
    from matplotlib.patches import Circle

    circle = Circle((goal[0], goal[1]), GOAL_RADIUS, fill=False, color=_RED, linewidth=1.4)
    axes.add_patch(circle)
    axes.plot(*goal, "+", color=_RED, markersize=9, zorder=4)


def _label_ends(axes: Axes, goal: Array, ends: list[tuple[int, Array]], count: int) -> None:
    """Number the final positions that lie apart from the goal, where there is room."""
    if count > _MAX_LABELLED:
        return
    for number, end in ends:
        if np.linalg.norm(end - goal) > 1.5 * GOAL_RADIUS:
            axes.annotate(
                str(number), (end[0], end[1]), xytext=(5, 4), textcoords="offset points", fontsize=9
            )


def _legend_of_paths(axes: Axes) -> None:
    from matplotlib.lines import Line2D

    def mark(marker: str, colour: str, label: str, **more: Any) -> Line2D:
        return Line2D([], [], linestyle="", marker=marker, color=colour, label=label, **more)

    handles = [
        mark("s", _GREY, "start"),
        mark("o", _GREY, "final position"),
        mark("o", _RED, f"goal, {1000 * GOAL_RADIUS:.0f} mm", markerfacecolor="none"),
    ]
    axes.legend(handles=handles, loc="best", fontsize=8)


# --- right: costs -------------------------------------------------------------------------------


def draw_costs(axes: Axes, trials: Sequence[Trial]) -> None:
    """Draw the cost of every trial [mm], and its prediction if there was one."""
    colours = _colours(trials)
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    numbers = [trial.number for trial in done]
    if done:
        best = np.minimum.accumulate([_millimetres(trial) for trial in done])
        axes.step(numbers, best, where="post", color=_GREY, linewidth=1.2, label="best so far")
        _draw_predictions(axes, done)
        _scatter(axes, [t for t in done if not t.proposal.fallback_reason], "o", colours, "trial")
        _scatter(axes, [t for t in done if t.proposal.fallback_reason], "D", colours, "fallback")
        axes.set_yscale("log")
        label = f"{1000 * GOAL_RADIUS:.0f} mm"
        axes.axhline(1000.0 * GOAL_RADIUS, color=_RED, ls=":", linewidth=1.2, label=label)
    _mark_missing(axes, [trial for trial in trials if trial.status is not TrialStatus.DONE])
    _scale_costs(axes, trials, done)
    axes.set(xlabel="trial", ylabel="cost [mm]", title="cost per trial")
    axes.grid(alpha=0.3, which="both")
    if trials:
        axes.legend(loc="upper right", fontsize=8)


def _draw_predictions(axes: Axes, done: list[Trial]) -> None:
    """Draw each predicted cost as a dash, its standard deviation as a bar."""
    label: str | None = "predicted, ±1 std"
    for trial in done:
        low, middle, high = _predicted(trial)
        if np.isfinite(middle):
            axes.vlines(trial.number, low, high, color=_BLUE, linewidth=5.0, alpha=0.25)
            axes.plot(trial.number, middle, "_", color=_BLUE, markersize=13, label=label)
            label = None


def _predicted(trial: Trial) -> Array:
    """Return low end, middle and high end of a prediction [mm]; NaN = there is none."""
    middle, std = trial.proposal.predicted_cost, trial.proposal.predicted_std
    std = std if np.isfinite(std) else 0.0
    found: Array = np.maximum(1000.0 * np.array([middle - std, middle, middle + std]), _FLOOR)
    return found


def _scatter(
    axes: Axes, trials: list[Trial], marker: str, colours: dict[int, Any], label: str
) -> None:
    if trials:
        x = [trial.number for trial in trials]
        y = [_millimetres(trial) for trial in trials]
        shades = [colours[trial.number] for trial in trials]
        edge = _RED if label == "fallback" else "none"
        axes.scatter(x, y, c=shades, marker=marker, s=42, edgecolors=edge, zorder=3, label=label)


def _millimetres(trial: Trial) -> float:
    """Return a cost [mm] that a logarithmic axis can show."""
    return max(1000.0 * trial.cost, _FLOOR)


def _mark_missing(axes: Axes, missing: list[Trial]) -> None:
    """Put a cross with the status at the lower edge for every trial that has no cost."""
    transform = axes.get_xaxis_transform()
    for index, trial in enumerate(missing):
        label = "no cost (unobserved, failed)" if index == 0 else None
        x = trial.number
        axes.plot(x, 0.03, "x", color=_RED, transform=transform, label=label, clip_on=False)


def _scale_costs(axes: Axes, trials: Sequence[Trial], done: list[Trial]) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

    last = max((trial.number for trial in trials), default=0)
    axes.set_xlim(-0.5, last + 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    if done:
        costs = [1000.0 * GOAL_RADIUS, *(_millimetres(trial) for trial in done)]
        costs += [float(value) for trial in done for value in _predicted(trial)[1:]]
        low, high = np.nanmin(costs), np.nanmax(costs)
        axes.set_ylim(0.5 * 10.0 ** np.floor(np.log10(low)), 1.5 * 10.0 ** np.ceil(np.log10(high)))
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_yticks([])
