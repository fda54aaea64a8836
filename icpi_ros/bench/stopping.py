"""How fast a stop takes effect: what was measured of each, and the summary of many."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from icpi_ros.arms.base import ArmLimits
from icpi_ros.motion.trajectory import JointTrajectory

FINE = 0.0005
"""Step in which the acceleration of a commanded stop is looked at [s]."""
TARGET = 0.050
"""What 99 of 100 stops must keep, from request to commanded deceleration [s]."""


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


def summary(stops: Sequence[Stop], missed: int) -> dict[str, Any]:
    """Return what is printed and written: times in seconds.

    Args:
        stops: at least one.
        missed: requests that came when nothing moved any more; they count for nothing.
    """
    rows: dict[str, Any] = {"stops": len(stops), "missed": missed, "target": TARGET}
    for name in ("deceleration", "standing"):
        values = np.array([getattr(stop, name) for stop in stops])
        rows[name] = {
            "median": float(np.median(values)),
            "p99": float(np.percentile(values, 99.0)),
            "max": float(values.max()),
        }
    rows["effort"] = max((s.effort for s in stops if s.effort is not None), default=None)
    rows["held"] = sum(stop.held for stop in stops)
    rows["each"] = [asdict(stop) for stop in stops]
    return rows


def text(rows: dict[str, Any]) -> str:
    """Return the summary as lines."""
    lines = [f"{rows['stops']} stops ({rows['missed']} came after the end of a motion)"]
    for name, words in (
        ("deceleration", "request to commanded deceleration"),
        ("standing", "request to standing"),
    ):
        each = {key: f"{1e3 * value:.1f}" for key, value in rows[name].items()}
        lines.append(
            f"{words:34} median {each['median']} ms  p99 {each['p99']} ms  max {each['max']} ms"
        )
    if rows["effort"] is not None:
        lines.append(
            f"largest commanded acceleration {100 * rows['effort']:.1f} % of the arm's limit"
        )
    lines.append(f"{rows['held']} held instead of braked on the path")
    return "\n".join(lines)
