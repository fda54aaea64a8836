"""The last millimetres of a run: misses of all trials around the goal, magnified."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from icpi_ros.core.pictures import style
from icpi_ros.core.types import Array, Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.runs.picture.costs import colours
from icpi_ros.runs.picture.paths import goal_in, goal_plane, miss_in, path_of
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MIN_HALF = 0.05
"""Half of the smallest window [mm]."""
_MAX_FACTOR = 3.0
"""Adjustments that missed by more than so many times their median are named at the edge."""
_MAX_LABELLED = 12


@dataclass(frozen=True)
class Miss:
    """Miss of one trial around the goal.

    Attributes:
        number: of the trial.
        shade: its colour.
        place: ``(2,)`` from the goal [mm].
        cost: of the trial [m].
        path: ``(n, 2)`` of the object from the goal [mm]; empty if it is not known.
    """

    number: int
    shade: str
    place: Array
    cost: float
    path: Array


@dataclass(frozen=True)
class NearGoal:
    """Content of the plot around the goal: names of its axes, and a miss per observed trial."""

    names: tuple[str, str]
    misses: tuple[Miss, ...]

    @property
    def half(self) -> float:
        """Half of the window's side [mm]: all adjustments but those far off are in it."""
        far = np.array([float(np.linalg.norm(miss.place)) for miss in self.misses])
        counted = far[1:] if len(far) > 1 else far
        widest = counted[counted <= _MAX_FACTOR * float(np.median(counted))].max()
        return max(1.3 * float(widest), 1.5 * float(far.min()), _MIN_HALF)


def near_goal(task: Task, goal: Array, trials: Sequence[Trial]) -> NearGoal | None:
    """Return what is around the goal of a run.

    None: no trial was observed, or goal and error are not places.
    """
    plane, shades = goal_plane(task, trials), colours(trials)
    place = goal_in(task, plane, goal)
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    found = [(trial, miss_in(task, plane, trial)) for trial in done]
    misses = tuple(
        Miss(
            trial.number, shades[trial.number], 1e3 * miss, trial.cost,
            1e3 * (path_of(trial, plane) - place),
        )
        for trial, miss in found
        if miss is not None and place is not None
    )  # fmt: skip
    if not misses:
        return None
    across, up = (f"{'xyz'[i]} from the goal [mm]" for i in plane)
    return NearGoal((across, up), misses)


def draw_goal(axes: Axes, near: NearGoal) -> None:
    """Draw the misses of a run around its goal [mm]."""
    half = near.half
    _rings(axes, half)
    axes.plot(0.0, 0.0, "+", color=style.GOAL, markersize=16, mew=2.0, zorder=2)
    best = min(near.misses, key=lambda miss: miss.cost)
    inside = [miss for miss in near.misses if np.abs(miss.place).max() <= half]
    for miss in near.misses:
        if len(miss.path):
            axes.plot(*miss.path.T, color=miss.shade, linewidth=1.1, alpha=0.4)
    for miss in inside:
        size = 10 if miss is best else 7.5
        axes.plot(*miss.place, "o", color=miss.shade, markersize=size, zorder=4)
        if len(inside) <= _MAX_LABELLED or miss is best:
            axes.annotate(
                str(miss.number), tuple(miss.place), xytext=(6, 4), textcoords="offset points",
                fontsize=10.5, color=style.INK, zorder=5,
                fontweight="bold" if miss is best else "normal",
            )  # fmt: skip
    axes.set(xlim=(-half, half), ylim=(-half, half), xlabel=near.names[0], ylabel=near.names[1])
    axes.set_aspect("equal", adjustable="box")
    axes.grid(visible=False)
    axes.set_title("the goal, magnified", pad=24)
    _outside(axes, near, half)


def _rings(axes: Axes, half: float) -> None:
    """Draw two rings of round radii, and name them."""
    from matplotlib.patches import Circle

    power = 10.0 ** np.floor(np.log10(half))
    fitting = [m * power for m in (0.2, 0.5, 1.0, 2.0, 5.0) if m * power <= 0.95 * half]
    for radius in fitting[-2:]:
        axes.add_patch(Circle((0.0, 0.0), radius, fill=False, color=style.LINE, linewidth=1.2))
        place = -radius / np.sqrt(2.0)
        axes.text(place, place, f"{radius:g} mm", ha="right", va="top", fontsize=9,
                  color=style.QUIET)  # fmt: skip


def _outside(axes: Axes, near: NearGoal, half: float) -> None:
    """Name the trials beyond the window above it."""
    beyond = [miss for miss in near.misses if np.abs(miss.place).max() > half]
    if not beyond:
        return
    named = [f"{miss.number} ({millimetres(miss.cost)})" for miss in beyond[:3]]
    named += [f"{len(beyond) - 3} more"] if len(beyond) > 3 else []
    text = f"beyond: trial{'' if len(beyond) == 1 else 's'} {', '.join(named)}"
    axes.text(0.0, 1.02, text, transform=axes.transAxes, fontsize=10.5, color=style.QUIET)
