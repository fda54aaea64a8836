"""The whole picture of a run as one figure, which notebooks show."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from io import BytesIO
from typing import TYPE_CHECKING

from icpi_ros.core.pictures import style
from icpi_ros.core.types import Array, Trial
from icpi_ros.runs.picture.costs import draw_costs
from icpi_ros.runs.picture.goal import draw_goal, near_goal
from icpi_ros.runs.picture.paths import draw_paths
from icpi_ros.runs.verdict import verdict
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def draw(task: Task, goal: Array, trials: Sequence[Trial]) -> Figure:
    """Return the picture as a figure that notebooks show.

    Args:
        task: of the run; its goal space names the plane of frame ``base``.
        goal: ``(g,)`` goal of the run.
        trials: at least none; those without a trajectory are only listed.
    """
    with style.settings():
        near = near_goal(task, goal, trials)
        panels = 2 if near is None else 3
        size = (13.2 if near else 10.0, 5.0)
        figure = _notebook_figure()(figsize=size, dpi=120, layout="constrained")
        axes = figure.subplots(1, panels)
        draw_costs(axes[0], trials)
        draw_paths(axes[1], task, goal, trials)
        if near is not None:
            draw_goal(axes[2], near)
        figure.suptitle(f"{task.name}: {verdict(trials)}", x=0.01, ha="left")
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
