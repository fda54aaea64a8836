"""Calibrated physics as text, JSON, and a picture of paths and intervals."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.core.pictures import style
from icpi_ros.core.text import printable
from icpi_ros.core.types import ObjectTrajectory, Trial
from icpi_ros.core.units import millimetres
from icpi_ros.evaluate.physics.estimate import LEVEL, MAX_RMS, ParameterEstimate, PhysicsEstimate
from icpi_ros.report.picture import save_figure
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def save_physics_picture(
    path: Path,
    task: Task,
    trials: Sequence[Trial],
    simulated: Sequence[ObjectTrajectory],
    found: PhysicsEstimate,
) -> None:
    """Draw recorded against ``simulated`` paths (one per trial), and the intervals, as SVG or PNG.

    Raises:
        UsageError: another format, or the file cannot be written.
    """
    from matplotlib.figure import Figure

    with style.settings():
        figure = Figure(figsize=(12.0, 5.2), dpi=110, layout="constrained")
        left, right = figure.subplots(1, 2)
        _draw_paths(left, trials, simulated)
        _draw_intervals(right, task, found)
        title = f"{task.name}: physics from {len(trials)} recorded trials"
        figure.suptitle(title, x=0.01, ha="left")
        save_figure(path, figure)


def _draw_paths(axes: Axes, trials: Sequence[Trial], simulated: Sequence[ObjectTrajectory]) -> None:
    """Draw the two coordinates in which the object moves most."""
    everything = np.concatenate([path.positions for path in simulated])
    first, second = sorted(np.argsort(np.ptp(everything, axis=0))[1:])
    for n, (trial, path) in enumerate(zip(trials, simulated, strict=True)):
        seen, drawn = trial.path.positions, path.positions
        label = ("recorded", "simulated") if n == 0 else ("", "")
        axes.plot(
            seen[:, first], seen[:, second], "o", color=style.QUIET, ms=3.5, mew=0, alpha=0.5,
            label=label[0],
        )  # fmt: skip
        axes.plot(
            drawn[:, first], drawn[:, second], color=style.CATEGORIES[0], lw=1.4, label=label[1]
        )
    axes.set(xlabel=f"{'xyz'[first]} [m]", ylabel=f"{'xyz'[second]} [m]")
    axes.set_title("paths of the object", pad=24)
    axes.set_aspect("equal", adjustable="datalim")
    axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 0.99), ncols=2, borderpad=0.2)


def _draw_intervals(axes: Axes, task: Task, found: PhysicsEstimate) -> None:
    """Draw every parameter's interval as a share of its range."""
    space = task.physics_space
    for row, (p, box) in enumerate(zip(found.parameters, space.parameters, strict=True)):
        values = np.array([*p.interval, p.value])
        low, high, value = (values - box.lower) / max(box.upper - box.lower, 1e-12)
        colour = style.DEFAULT if p.known else style.QUIET
        axes.plot([0.0, 1.0], [row, row], color=style.LINE, lw=1.0)
        alpha = 0.5 if p.known else 0.2
        axes.plot([low, high], [row, row], color=colour, lw=9, alpha=alpha, solid_capstyle="butt")
        axes.plot([value], [row], "o", color=colour, ms=6, alpha=1.0 if p.known else 0.5)
        ends = (box.text(box.lower, 3), box.text(box.upper, 3))
        for x, text, side in zip((0.0, 1.0), ends, ("left", "right"), strict=True):
            axes.annotate(
                text, (x, row), xytext=(0, -7), textcoords="offset points", ha=side, va="top",
                fontsize=9, color=style.QUIET,
            )  # fmt: skip
    axes.set(xlim=(-0.02, 1.02), xlabel="share of the range")
    axes.set_ylim(space.dim - 0.5, -0.5)
    axes.set_title(f"estimates with their {LEVEL:.0%} intervals; pale: not known", pad=24)
    axes.grid(visible=False)
    axes.set_yticks(
        range(space.dim),
        [
            f"{p.name}\n{box.text(p.value, 3) if p.known else 'not known'}"
            for p, box in zip(found.parameters, space.parameters, strict=True)
        ],
    )


def physics_lines(found: PhysicsEstimate, task: Task) -> list[str]:
    """Return the estimate, the unknown parameters, and the residual of the recordings, as lines."""
    parameters = zip(found.parameters, task.physics_space.parameters, strict=True)
    lines = [f"{'':12}{'estimate':>10}  {f'{LEVEL:.0%} interval':<20}{'range':<18}"]
    lines += [_row(p, f"{box.lower:g} to {box.upper:g}") for p, box in parameters]
    lines += [
        f"{one} and {other} are only known together (correlation {correlation:+.2f})"
        for one, other, correlation in found.tied
    ]
    worst = max(found.trials, key=lambda trial: trial.rms)
    lines.append(
        f"recorded paths: noise {millimetres(found.noise)}, simulation rough by "
        f"{millimetres(found.rough)}; worst trial {worst.name}: {millimetres(worst.rms)} off "
        f"(root mean square), {millimetres(worst.end)} at its end"
    )
    if not found.settled:
        lines.append("warning: the fit had not settled when it was stopped: trust it less")
    if found.poor:
        names = ", ".join(trial.name for trial in found.poor)
        lines.append(
            f"warning: no physics of the range explains {names} to {1e3 * MAX_RMS:.0f} mm: was "
            "something moved, or is the table unlike the simulated one?"
        )
    return [printable(line) for line in lines]


def _row(p: ParameterEstimate, span: str) -> str:
    unit = "" if p.unit == "1" else f" {p.unit}"
    interval = f"{p.interval[0]:.4g} to {p.interval[1]:.4g}"
    line = f"{p.name:12}{p.value:10.4g}  {interval:<20}{span + unit:<18}"
    if not p.known:
        line += "not known: these recordings hardly depend on it"
    elif p.border:
        line += f"at the {p.border} end of its range: the true value may lie outside"
    return line.rstrip()


def physics_json(found: PhysicsEstimate) -> dict[str, Any]:
    """Return the estimate as JSON types; keys as in the dataclasses."""
    return {
        "task": found.belief.task,
        "physics": list(found.belief.mean),
        "covariance": [list(row) for row in found.belief.covariance],
        "parameters": [
            vars(p) | {"interval": list(p.interval), "border": p.border or ""}
            for p in found.parameters
        ],
        "tied": [list(pair) for pair in found.tied],
        "trials": [vars(trial) for trial in found.trials],
        "noise": found.noise,
        "rough": found.rough,
        "rollouts": found.rollouts,
        "settled": found.settled,
    }
