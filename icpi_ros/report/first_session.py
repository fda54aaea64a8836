"""A task before anything moves, for a person: lines of text, and one picture.

matplotlib is imported at the first call only, and without a display.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.core.pictures import style
from icpi_ros.evaluate.first_session import FirstSession, TriedMotion
from icpi_ros.evaluate.repeatability import Repeatability
from icpi_ros.report.picture import save_figure
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PASSED, _REFUSED, _GOAL = style.GOOD, style.BAD, style.GOAL


def session_text(task: Task, arm: Arm, found: FirstSession) -> list[str]:
    """Return what a person must know before the first trial, line by line."""
    corners = found.corners
    passed = sum(one.refusal is None for one in corners)
    lines = [
        f"{task.name} with {arm.name}: {found.share:.0%} of the box of theta passes the gate "
        f"({found.samples} thetas tried), {passed} of {len(corners)} corners"
    ]
    lines += [f"  {count} refused: {reason}" for reason, count in found.reasons.items()]
    names = [p.heading for p in task.space.parameters]
    lines.append(f"motions ({', '.join(names)}):")
    return lines + [f"  {one.label:11s} {_theta(one)}  {_verdict(one)}" for one in found.motions]


def repeatability_text(task: Task, found: Repeatability) -> str:
    """Return the floor of what can be reached in one line."""
    pairs = zip(task.error_names, found.std, strict=True)
    each = ", ".join(f"{name} {value:.3g}" for name, value in pairs)
    return (
        f"repeatability: {1e3 * found.floor:.1f} mm (std of {each}; {found.repeats} repeat"
        f"{'s' if found.repeats > 1 else ''}, so known to {found.uncertainty:.0%}): no run gets "
        "reliably below it"
    )


def session_json(found: FirstSession) -> dict[str, Any]:
    """Return the session as JSON types; speeds in [m/s], times in [s]."""
    motions = [
        {
            "label": one.label,
            "theta": one.theta.tolist(),
            "refusal": one.refusal,
            "release": one.release,
            "tool_speed": None if one.summary is None else one.summary.tool_speed,
            "duration": None if one.summary is None else one.summary.duration,
        }
        for one in found.motions
    ]
    shares = {"samples": found.samples, "passed": found.passed, "refused": found.reasons}
    return {"motions": motions, **shares}


def save_session(path: str | Path, task: Task, arm: Arm, found: FirstSession) -> None:
    """Draw the motions over the table, from above and from the side, and their tool speeds.

    Args:
        path: file to write, SVG or PNG.
        task: whose goals are drawn.
        arm: whose workspace and home are drawn.
        found: the motions.

    Raises:
        UsageError: another format, or the file cannot be written.
    """
    from matplotlib.figure import Figure

    with style.settings():
        figure = Figure(figsize=(13.5, 5.0), dpi=110, layout="constrained")
        above, side, speed = figure.subplots(1, 3)
        across = _longer_axis(found)
        for one in sorted(found.motions, key=lambda one: one.label == "first trial"):
            _draw_motion(above, side, speed, one, across)
        _draw_goals(above, task)
        _draw_arm(above, side, arm, across)
        above.set(xlabel="x [m]", ylabel="y [m]", title="tool from above")
        side.set(xlabel=f"{'xy'[across]} [m]", ylabel="z [m]", title="tool from the side")
        speed.set(xlabel="time [s]", ylabel="tool speed [m/s]", title="speed of the tool")
        for axes in (above, side):
            axes.set_aspect("equal", adjustable="datalim")
        _legend(figure, found)
        title = f"{task.name} with {arm.name}: {found.share:.0%} of the box passes the gate"
        figure.suptitle(title, x=0.01, ha="left")
        save_figure(path, figure)


def _theta(one: TriedMotion) -> str:
    return ", ".join(f"{value:.3g}" for value in one.theta)


def _verdict(one: TriedMotion) -> str:
    if one.summary is None:
        return f"REFUSED: {one.refusal}"
    peak = one.summary.speed
    let_go = "" if one.release is None else f", lets go at {one.release:.2f} s"
    return (
        f"tool up to {one.summary.tool_speed:.2f} m/s, {peak.joint} at {peak.share:.0%} of its "
        f"speed, {one.summary.duration:.2f} s{let_go}"
    )


def _longer_axis(found: FirstSession) -> int:
    """Return 0 or 1: x or y, along which the motions go farther."""
    paths = [one.tool[:, :2] for one in found.motions if len(one.tool)]
    return int(np.argmax(np.max([np.ptp(path, axis=0) for path in paths], axis=0))) if paths else 0


def _draw_motion(above: Axes, side: Axes, speed: Axes, one: TriedMotion, across: int) -> None:
    colour = _PASSED if one.refusal is None else _REFUSED
    looks: dict[str, Any] = {"color": colour, "linewidth": 1.3, "alpha": 0.8}
    if one.label == "first trial":
        looks = {"color": style.INK, "linewidth": 2.6}
    above.plot(one.tool[:, 0], one.tool[:, 1], **looks)
    side.plot(one.tool[:, across], one.tool[:, 2], **looks)
    speed.plot(one.times, one.speed, **looks)
    if one.release is not None and len(one.times):
        at = int(np.argmin(np.abs(one.times - one.release)))
        for axes, x, y in ((above, 0, 1), (side, across, 2)):
            axes.plot(one.tool[at, x], one.tool[at, y], "o", color=looks["color"], markersize=5)
        speed.plot(one.times[at], one.speed[at], "o", color=looks["color"], markersize=5)


def _draw_goals(axes: Axes, task: Task) -> None:
    """Draw the goal region if goals are places on the table, and the default goal."""
    point = task.goal_point(task.default_goal)
    if point is None:
        return
    if task.goal_space.names[:2] == ("x", "y"):
        (x0, y0), (x1, y1) = task.goal_space.lower[:2], task.goal_space.upper[:2]
        axes.fill([x0, x1, x1, x0], [y0, y0, y1, y1], color=_GOAL, alpha=0.15, linewidth=0)
    axes.plot(point[0], point[1], "*", color=_GOAL, markersize=14, markeredgecolor=style.PAPER)


def _draw_arm(above: Axes, side: Axes, arm: Arm, across: int) -> None:
    spine = np.array([*arm.links(arm.home)[1:, :3, 3], arm.tool_pose(arm.home)[0]])
    for axes, x, y in ((above, 0, 1), (side, across, 2)):
        axes.plot(
            spine[:, x],
            spine[:, y],
            "o-",
            color=style.QUIET,
            linewidth=3.0,
            markersize=4,
            alpha=0.5,
        )
    above.margins(0.08)


def _legend(figure: Figure, found: FirstSession) -> None:
    """Name what is drawn, and nothing else."""
    from matplotlib.lines import Line2D

    handles = {
        "first trial": Line2D([], [], color=style.INK, linewidth=2.6),
        "passes the gate": Line2D([], [], color=_PASSED),
        "refused": Line2D([], [], color=_REFUSED),
        "goal": Line2D([], [], color=_GOAL, marker="*", linestyle="", markersize=12),
        "lets go": Line2D([], [], color=style.QUIET, marker="o", linestyle=""),
        "arm at home": Line2D([], [], color=style.QUIET, marker="o", alpha=0.5),
    }
    missing = {
        "first trial": all(one.label != "first trial" for one in found.motions),
        "refused": all(one.refusal is None for one in found.motions),
        "lets go": all(one.release is None for one in found.motions),
    }
    shown = {label: mark for label, mark in handles.items() if not missing.get(label)}
    figure.legend(shown.values(), shown.keys(), loc="outside lower left", ncols=len(shown))
