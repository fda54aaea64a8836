"""Positions of the past, cut to trial windows: what was never received stays missing."""

from __future__ import annotations

import itertools
from collections import deque

import numpy as np

from icpi_ros.core.types import SECOND, Array, Indices, ObjectTrajectory
from icpi_ros.motion.rest import RestRule
from icpi_ros.perception.poses.frames import length

GRID_TOLERANCE = 0.6
"""Largest distance of a sample from its grid time [periods]."""
MAX_SAMPLES = 100_000
"""Bound on memory, whatever the rate of the source."""
LEAP = 0.1
"""Way from one sample to the next that no object goes at :data:`LEAP_SPEED` [m]; shorter ones may
come of stamps in bursts."""
LEAP_SPEED = 15.0
"""Speed that no object of a task has [m/s]."""
MAX_SPIKES = 3
"""Samples of a window at another place that are left out; more are a second object."""


class ObjectHistory:
    """Stamped positions of the last ``length`` [s], cut to trial windows.

    A sample that was never received stays missing: nothing is interpolated, nothing invented.
    """

    def __init__(self, rule: RestRule, length: float) -> None:
        self._period = round(rule.period * SECOND)
        self._length = round(length * SECOND)
        self._samples: deque[tuple[int, Array]] = deque(maxlen=MAX_SAMPLES)
        self._leaps: deque[int] = deque(maxlen=MAX_SAMPLES)

    @property
    def newest(self) -> int | None:
        """Stamp of the last sample [ns], None if there is none."""
        return self._samples[-1][0] if self._samples else None

    def add(self, ns: int, position: Array) -> bool:
        """Keep a sample (stamp [ns], ``(3,)`` [m]); False if it is not newer than the last one.

        Time that jumps back by more than a second means a restarted clock: history is dropped.
        """
        newest = self.newest
        if newest is not None and ns <= newest:
            if newest - ns < SECOND:
                return False
            self._samples.clear()
            self._leaps.clear()
        if self._samples and _leapt(self._samples[-1], (ns, position)):
            self.add_leap(ns)
        self._samples.append((ns, position))
        while ns - self._samples[0][0] > self._length:
            self._samples.popleft()
        return True

    def drop_after(self, ns: int) -> list[int]:
        """Forget the samples after a stamp [ns]; return theirs."""
        gone = []
        while self._samples and self._samples[-1][0] > ns:
            gone.append(self._samples.pop()[0])
        return gone

    def rate(self, start: int, stop: int) -> float:
        """Return samples per second from ``start`` to ``stop`` [ns], gaps left out [Hz].

        NaN = fewer than two.
        """
        recent = itertools.takewhile(lambda sample: sample[0] >= start, reversed(self._samples))
        stamps = np.array([ns for ns, _ in recent if ns <= stop], dtype=np.int64)
        return float(SECOND / np.median(-np.diff(stamps))) if len(stamps) > 1 else float("nan")

    def add_leap(self, ns: int) -> None:
        """Take note that the object was at two places at a stamp [ns]."""
        self._leaps.append(ns)

    def leaps(self, start: int, stop: int) -> int:
        """Return how often the object was from one sample to the next where it cannot be."""
        return sum(start <= ns <= stop for ns in self._leaps)

    def cut(self, start: int, stop: int) -> ObjectTrajectory | None:
        """Return the samples from ``start`` to ``stop`` [ns] as :func:`on_grid` has them."""
        first, last = start - self._period, stop + self._period
        recent = itertools.takewhile(lambda sample: sample[0] >= first, reversed(self._samples))
        near = [(ns, position) for ns, position in recent if ns <= last][::-1]
        stamps = np.array([ns for ns, _ in near], dtype=np.int64)
        positions = np.array([position for _, position in near]).reshape(-1, 3)
        return on_grid(stamps, positions, start, stop, self._period)


def without_spikes(path: ObjectTrajectory) -> tuple[ObjectTrajectory, str]:
    """Return a path without single samples at another place, and why it is none; "" = it is one."""
    rows = np.flatnonzero(np.isfinite(path.positions).all(axis=1))
    there = [(round(path.times[row] * SECOND), path.positions[row]) for row in rows]
    leapt = np.array([_leapt(*pair) for pair in itertools.pairwise(there)], dtype=np.bool_)
    spikes = [
        at + 1
        for at in np.flatnonzero(leapt[:-1] & leapt[1:])
        if not _leapt(there[at], there[at + 2])
    ]
    positions = path.positions.copy()
    positions[rows[spikes]] = np.nan
    left = [sample for at, sample in enumerate(there) if at not in spikes]
    found = next((pair for pair in itertools.pairwise(left) if _leapt(*pair)), None)
    if found is None:
        return ObjectTrajectory(path.times, positions), ""
    (before, here), (after, away) = found
    return path, f"{length(away - here):.2g} m within {(after - before) / SECOND:.2g} s"


def _leapt(before: tuple[int, Array], after: tuple[int, Array]) -> bool:
    """Tell whether no object can be at two places at these times [ns]."""
    way = length(after[1] - before[1])
    return way > LEAP and way * SECOND > LEAP_SPEED * (after[0] - before[0])


def on_grid(
    stamps: Indices, positions: Array, start: int, stop: int, period: int
) -> ObjectTrajectory | None:
    """Return samples on a grid of sample periods that begins at ``start``.

    Grid times without a sample have NaN positions (REP-117); of several samples the nearest
    counts, with its own time.

    Args:
        stamps: ``(n,)`` increasing [ns].
        positions: ``(n, 3)`` [m].
        start: of the window [ns].
        stop: its end [ns].
        period: of the grid [ns].

    Returns:
        The path; None if nothing was seen.
    """
    count = max(0, stop - start) // period + 1
    times = np.arange(count, dtype=np.float64) * (period / SECOND)
    path = np.full((count, 3), np.nan)
    since = (stamps - start) / period
    index = np.rint(since).astype(np.int64)
    distance = np.abs(since - index)
    usable = (index >= 0) & (index < count) & (distance <= GRID_TOLERANCE)
    if not usable.any():
        return None
    order = np.lexsort((distance[usable], index[usable]))
    rows = np.flatnonzero(usable)[order]
    slots, first = np.unique(index[rows], return_index=True)
    chosen = rows[first]
    path[slots] = positions[chosen]
    times[slots] = (stamps[chosen] - start) / SECOND
    return ObjectTrajectory(times, path)
