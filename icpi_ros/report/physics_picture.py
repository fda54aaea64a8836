"""Calibrated physics as a picture: recorded and simulated paths, and the intervals.

matplotlib is imported at the first call only, and without a display.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from icpi_ros.errors import UsageError
from icpi_ros.identify.estimate import Estimate
from icpi_ros.tasks.base import Task
from icpi_ros.types import ObjectTrajectory, Trial

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FORMATS = (".svg", ".png")


def save_physics_picture(
    path: Path,
    task: Task,
    trials: Sequence[Trial],
    simulated: Sequence[ObjectTrajectory],
    found: Estimate,
) -> None:
    """Draw recorded against ``simulated`` paths (one per trial), and the intervals, as SVG or PNG.

    Raises:
        UsageError: another format, or the file cannot be written.
    """
    from matplotlib.figure import Figure

    if path.suffix.lower() not in FORMATS:
        raise UsageError(f"cannot draw {path}: allowed endings are {' and '.join(FORMATS)}")
    figure = Figure(figsize=(11.0, 5.0), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    _draw_paths(left, trials, simulated)
    _draw_intervals(right, task, found)
    figure.suptitle(f"{task.name}: physics from {len(trials)} recorded trials")
    try:
        figure.savefig(path)
    except OSError as exc:
        raise UsageError(f"cannot write the picture {path}: {exc.strerror or exc}") from exc


def _draw_paths(axes: Axes, trials: Sequence[Trial], simulated: Sequence[ObjectTrajectory]) -> None:
    """Draw the two coordinates in which the object moves most."""
    everything = np.concatenate([path.positions for path in simulated])
    first, second = sorted(np.argsort(np.ptp(everything, axis=0))[1:])
    for n, (trial, path) in enumerate(zip(trials, simulated, strict=True)):
        seen, drawn = trial.path.positions, path.positions
        label = ("recorded", "simulated") if n == 0 else ("", "")
        axes.plot(seen[:, first], seen[:, second], ".", color="#30638e", ms=3, label=label[0])
        axes.plot(drawn[:, first], drawn[:, second], color="#d1495b", lw=1.0, label=label[1])
    axes.set(xlabel=f"{'xyz'[first]} [m]", ylabel=f"{'xyz'[second]} [m]")
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(frameon=False)


def _draw_intervals(axes: Axes, task: Task, found: Estimate) -> None:
    """Draw every parameter's interval as a share of its range."""
    space = task.physics_space
    for row, (p, box) in enumerate(zip(found.parameters, space.parameters, strict=True)):
        values = np.array([*p.interval, p.value])
        low, high, value = (values - box.lower) / max(box.upper - box.lower, 1e-12)
        colour = "#30638e" if p.known else "0.7"
        axes.plot([low, high], [row, row], color=colour, lw=5, solid_capstyle="butt")
        axes.plot([value], [row], "o", color=colour, ms=9)
    axes.set(xlim=(-0.02, 1.02), xlabel="share of the range; grey: not known")
    axes.set_yticks(
        range(space.dim),
        [
            f"{p.name}\n{box.text(p.value, 3)}"
            for p, box in zip(found.parameters, space.parameters, strict=True)
        ],
    )
    axes.invert_yaxis()
