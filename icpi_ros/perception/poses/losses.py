"""Poses that are no measurement: how trackers tell that they lost their object, and a log of it."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from icpi_ros.core.types import Array

MAX_NORM_ERROR = 0.1
"""Largest distance of a quaternion's norm from 1: rounding makes far less."""
MAX_STD = 0.05
"""Largest standard deviation of a position that is a measurement [m]: costs are millimetres."""


class Loss(StrEnum):
    """Reason why a pose is no measurement."""

    ZERO = "position and orientation are all zero: the tracker lost the object"
    ORIGIN = "position is exactly 0, 0, 0: the tracker lost the object"
    NOT_FINITE = "position or orientation is not finite: the tracker lost the object"
    NO_TURN = "orientation has norm 0: the tracker lost the object"
    NORM = "orientation has not norm 1: the tracker lost the object"
    NEGATIVE = "covariance is negative or not finite: the tracker lost the object"
    VAGUE = "covariance is beyond 0.05 m: the tracker lost the object"
    REPEATED = (
        "poses repeat bit for bit: the tracker lost the object and sends its last pose again (of a "
        "simulation or a tracker coarser than 1 mm: repeated_poses:=allowed)"
    )
    STILL = "several poses with one stamp: stamps stand still, or two nodes send poses"
    ORDER = "stamps run backwards"
    FRAME = "frame"
    UNIT = "unit"
    CLOCK = "clock"


def tracking_loss(
    position: Array, orientation: Array | None, variance: float | None
) -> Loss | None:
    """Return how a pose tells that its object was not tracked; None = it is a measurement.

    Args:
        position: ``(3,)`` as the tracker sent it, in its own frame.
        orientation: ``(4,)`` quaternion; None = the message has none.
        variance: the position's variance of that axis which is worst [m^2], negative or NaN where
            one of them is; None = the message has none, 0 = not known.
    """
    finite = np.isfinite(position).all()
    if not finite or (orientation is not None and not np.isfinite(orientation).all()):
        return Loss.NOT_FINITE
    nowhere = not position.any()
    if orientation is not None:
        norm = float(np.sqrt(orientation @ orientation))
        if norm == 0.0:
            return Loss.ZERO if nowhere else Loss.NO_TURN
        if abs(norm - 1.0) > MAX_NORM_ERROR:
            return Loss.NORM
    if nowhere:
        return Loss.ORIGIN
    if variance is not None and not variance >= 0.0:
        return Loss.NEGATIVE
    return Loss.VAGUE if variance is not None and variance > MAX_STD**2 else None


def worst_variance(covariance: Array) -> float:
    """Return the variance of x, y or z that is worst, of a row-major ``(36,)`` covariance."""
    diagonal = np.asarray(covariance, dtype=np.float64).reshape(6, 6).diagonal()[:3]
    if not np.isfinite(diagonal).all():
        return float("nan")
    return float(diagonal.min() if (diagonal < 0.0).any() else diagonal.max())


@dataclass(frozen=True)
class LostPose:
    """Pose that was no measurement: its stamp [ns], why, and the same with figures."""

    ns: int
    loss: Loss
    text: str


class LossLog:
    """The last poses that were no measurements; single-threaded."""

    def __init__(self, max_poses: int) -> None:
        self._lost: deque[LostPose] = deque(maxlen=max_poses)

    def add(self, ns: int, loss: Loss, text: str = "") -> None:
        """Keep that a pose stamped ``ns`` [ns] is none; ``text``: with figures."""
        self._lost.append(LostPose(ns, loss, text or loss.value))

    def clear(self) -> None:
        """Forget all."""
        self._lost.clear()

    def reason(self, start: int, stop: int) -> str | None:
        """Return why most poses between two stamps [ns] are none, in words; None = none is."""
        inside = [lost for lost in self._lost if start <= lost.ns <= stop]
        if not inside:
            return None
        most, count = Counter(lost.loss for lost in inside).most_common(1)[0]
        text = next(lost.text for lost in reversed(inside) if lost.loss is most)
        return f"{text} ({count} poses)" if count > 1 else text
