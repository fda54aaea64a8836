"""Bounded history of a tracked object, cut to trial windows; no ROS.

A sample that was never received stays missing: nothing is interpolated, nothing invented.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from icpi_ros.motion.rest import RestRule
from icpi_ros.nodes.convert import SECOND, ns_from_seconds
from icpi_ros.types import Array, ObjectTrajectory

MATCH = 0.6
"""A sample belongs to a grid time if it is this share of the period away at most."""


MOST_SAMPLES = 100_000
"""Bound on memory, whatever the rate of the source."""


class ObjectHistory:
    """Stamped positions of the last ``length`` seconds.

    Args:
        rule: sample period.
        length: how much to keep [s].
    """

    def __init__(self, rule: RestRule, length: float) -> None:
        """Start empty."""
        self._period = ns_from_seconds(rule.period)
        self._length = ns_from_seconds(length)
        self._samples: deque[tuple[int, Array]] = deque(maxlen=MOST_SAMPLES)

    @property
    def newest(self) -> int | None:
        """Stamp of the last sample [ns], None if there is none."""
        return self._samples[-1][0] if self._samples else None

    def add(self, ns: int, position: Array) -> bool:
        """Keep a sample; False if it is not newer than the last one.

        Time that jumps back by more than a second means a restarted clock: history is dropped.
        """
        newest = self.newest
        if newest is not None and ns <= newest:
            if newest - ns < SECOND:
                return False
            self._samples.clear()
        self._samples.append((ns, position))
        while ns - self._samples[0][0] > self._length:
            self._samples.popleft()
        return True

    def cut(self, start: int, stop: int) -> ObjectTrajectory | None:
        """Return the samples from ``start`` to ``stop`` [ns] on a grid of sample periods.

        Grid times without a sample have NaN positions (REP-117).  None if nothing was seen.
        """
        count = max(0, stop - start) // self._period + 1
        times = np.arange(count, dtype=np.float64) * (self._period / SECOND)
        positions = np.full((count, 3), np.nan)
        off = np.full(count, np.inf)
        for ns, position in self._samples:
            index = round((ns - start) / self._period)
            distance = abs(ns - start - index * self._period) / self._period
            if 0 <= index < count and distance <= MATCH and distance < off[index]:
                positions[index], off[index] = position, distance
                times[index] = (ns - start) / SECOND
        if not np.isfinite(off).any():
            return None
        return ObjectTrajectory(times, positions)
