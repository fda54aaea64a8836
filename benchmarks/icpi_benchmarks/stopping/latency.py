"""How fast a stop takes effect: what was measured of each, and the summary of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from icpi_ros.core.units import in_ms, times
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import ArmLimits

FINE = 0.0005
"""Step in which the acceleration of a commanded stop is looked at [s]."""
MEDIAN_TARGET, P99_TARGET = 3.0, 8.0
"""Most time from request to commanded deceleration, in bare cancel round trips of the same run."""
ALLOWED = 1.05
"""Largest commanded acceleration, as a share of the arm's limit."""


@dataclass(frozen=True)
class Stop:
    """One stop.

    Attributes:
        request: how it was asked for: ``cancel`` or ``service``.
        motion: what ran: ``approach`` or ``stroke``.
        speed: fastest joint at the request [rad/s].
        deceleration: from the request to the first commanded deceleration [s].
        standing: from the request until the arm stood [s].
        effort: largest commanded joint acceleration as a share of the arm's limit; None where
            the command cannot be overheard (an action's goal).
        held: True if no stop on the path could be made and a hold was sent.
    """

    request: str
    motion: str
    speed: float
    deceleration: float
    standing: float
    effort: float | None
    held: bool


def effort(stop: JointTrajectory, limits: ArmLimits) -> float:
    """Return the largest joint acceleration of a stop as a share of the limits."""
    if len(stop.times) < 2:
        return 0.0  # a hold: one point at rest, the controller joins it
    _, _, qdd = stop.sample(np.arange(0.0, stop.duration, FINE))
    both = np.concatenate([np.abs(qdd), np.abs(stop.accelerations)])
    return float((both / limits.acceleration).max())


def summary(
    stops: Sequence[Stop],
    missed: int,
    cancels: Sequence[float] = (),
    smooth: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Return what is printed and written: times in seconds.

    Args:
        stops: at least one.
        missed: requests that came when nothing moved any more; they count for nothing.
        cancels: bare cancel round trips of the same run [s].
        smooth: commands of controllers, see :mod:`icpi_benchmarks.stopping.controllers`.
    """
    rows: dict[str, Any] = {"stops": len(stops), "missed": missed}
    for name in ("deceleration", "standing"):
        rows[name] = times([getattr(stop, name) for stop in stops])
    rows["cancel"] = times(cancels) if len(cancels) else None
    rows["target"] = P99_TARGET * rows["cancel"]["median"] if rows["cancel"] else None
    rows["effort"] = max((s.effort for s in stops if s.effort is not None), default=None)
    rows["held"] = sum(stop.held for stop in stops)
    rows["dialects"] = list(smooth)
    rows["each"] = [asdict(stop) for stop in stops]
    return rows


def kept(rows: dict[str, Any]) -> bool:
    """Tell whether the targets are met: latency, acceleration of every dialect, none held."""
    cancel, found = rows["cancel"], rows["deceleration"]
    in_time = cancel is None or (
        found["median"] <= MEDIAN_TARGET * cancel["median"]
        and found["p99"] <= P99_TARGET * cancel["median"]
    )
    shares = [row["share"] for row in rows["dialects"]]
    gentle = max([*shares, rows["effort"] or 0.0]) <= ALLOWED
    return bool(in_time and gentle and rows["held"] == 0)


def text(rows: dict[str, Any]) -> str:
    """Return the summary as lines."""
    lines = [f"{rows['stops']} stops ({rows['missed']} came after the end of a motion)"]
    for name, words in (
        ("deceleration", "request to commanded deceleration"),
        ("standing", "request to standing"),
        ("cancel", "bare cancel between two processes"),
    ):
        if rows[name] is None:
            continue
        lines.append(f"{words:34} {in_ms(rows[name])}")
    if rows["cancel"] is not None:
        bare, found = rows["cancel"]["median"], rows["deceleration"]
        lines.append(
            f"in bare cancels: median {found['median'] / bare:.1f} ({MEDIAN_TARGET:g} allowed), "
            f"p99 {found['p99'] / bare:.1f} ({P99_TARGET:g} allowed)"
        )
    if rows["effort"] is not None:
        lines.append(f"largest acceleration of a stop {100 * rows['effort']:.1f} % of the limit")
    lines.append(f"{rows['held']} held instead of braked on the path")
    if rows["dialects"]:
        lines += ["", *table(rows["dialects"])]
    return "\n".join(lines)


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return what the dialects command as lines."""
    lines = [
        "commanded by a controller; in brackets the same stops without their path in front",
        f"{'rate':>8}  {'joins from':<10} {'largest acceleration':>26} {'step back':>22}",
    ]
    for row in rows:
        joins = "command" if row["interpolate_from_desired_state"] else "measured"
        lines.append(
            f"{row['rate']:5.0f} Hz  {joins:<10} {row['acceleration']:9.1f} "
            f"({row['joined_acceleration']:8.0f}) rad/s^2 {1e3 * row['backward']:9.3f} "
            f"({1e3 * row['joined_backward']:6.1f}) mrad"
        )
    return lines
