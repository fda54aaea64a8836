"""Latency of stops: measurements of each, and the summary of many."""

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
COMMAND_TARGET = 0.3
"""Most processor time of `icpi stop`, median [s]."""
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


@dataclass(frozen=True)
class Press:
    """One press of the software stop by `icpi stop`; times from the start of its process [s].

    Attributes:
        processor: processor time of the process, from its start to its end.
        latched: until the executor reported the stop.
        whole: until the process had ended.
    """

    processor: float
    latched: float
    whole: float


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
    presses: Sequence[Press] = (),
) -> dict[str, Any]:
    """Return the summary that is printed and written; times in seconds.

    Args:
        stops: at least one.
        missed: requests that came when nothing moved any more; they count for nothing.
        cancels: bare cancel round trips of the same run [s].
        smooth: commands of controllers, see :mod:`icpi_benchmarks.stopping.controllers`.
        presses: of the stop by the command.
    """
    rows: dict[str, Any] = {"stops": len(stops), "missed": missed}
    for name in ("deceleration", "standing"):
        rows[name] = times([getattr(stop, name) for stop in stops])
    rows["cancel"] = times(cancels) if len(cancels) else None
    rows["target"] = P99_TARGET * rows["cancel"]["median"] if rows["cancel"] else None
    rows["effort"] = max((s.effort for s in stops if s.effort is not None), default=None)
    rows["held"] = sum(stop.held for stop in stops)
    rows["dialects"] = list(smooth)
    rows["presses"] = len(presses)
    for name in ("processor", "latched", "whole") if presses else ():
        rows[f"command_{name}"] = times([getattr(press, name) for press in presses])
    rows["each"] = [asdict(stop) for stop in stops]
    return rows


def kept(rows: dict[str, Any]) -> bool:
    """Return True if the targets are met.

    They are latency, acceleration at every controller, none held, the cost of the command.
    """
    cancel, found = rows["cancel"], rows["deceleration"]
    in_time = cancel is None or (
        found["median"] <= MEDIAN_TARGET * cancel["median"]
        and found["p99"] <= P99_TARGET * cancel["median"]
    )
    shares = [row["share"] for row in rows["dialects"]]
    gentle = max([*shares, rows["effort"] or 0.0]) <= ALLOWED
    cheap = not rows["presses"] or rows["command_processor"]["median"] <= COMMAND_TARGET
    return bool(in_time and gentle and rows["held"] == 0 and cheap)


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
    if rows["presses"]:
        lines += [
            f"icpi stop, {rows['presses']} times; a process each, from its start:",
            f"{'  until the stop is latched':34} {in_ms(rows['command_latched'])}",
            f"{'  until it ends':34} {in_ms(rows['command_whole'])}",
            f"{'  its processor time':34} {in_ms(rows['command_processor'])} "
            f"(median {1e3 * COMMAND_TARGET:g} allowed)",
        ]
    if rows["dialects"]:
        lines += ["", *table(rows["dialects"])]
    return "\n".join(lines)


def table(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Return the commands of the controllers as lines."""
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
