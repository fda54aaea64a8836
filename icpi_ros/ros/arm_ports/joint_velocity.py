"""Joint velocities from positions, for drivers that publish none.

The slope of a straight line through the positions of the last :data:`SPAN`.  One difference of two
positions would be as noisy as the speed at which an arm counts as standing: 1e-4 rad of encoder
noise at 100 Hz make 0.014 rad/s of it, and 0.002 rad/s of the slope.  The price is a lag of half
the span, 30 ms.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import SECOND, Array

SPAN = 0.06
"""Time over which positions are differentiated, on the clock of the states [s]."""
MIN_SPAN = 0.03
"""The same at the least [s]: a few states at 1000 Hz say nothing."""
MIN_STATES = 3
"""Positions that are needed for it."""
MIN_RATE = 40.0
"""Joint states per second at which all of that is there, with some jitter [Hz]."""
NOISE = 5e-4
"""Way between two states below which nobody can tell that a joint moves [rad]."""
MAX_STATES = 200
"""Positions that are kept, so that the work has a bound at any rate."""


@dataclass(frozen=True)
class Slope:
    """How joints move.

    Attributes:
        qd: ``(n,)`` velocities [rad/s].
        spread: ``(n,)`` how far the positions lie apart over the span [rad]: at a turning point
            the slope is nothing although the joint moves.
        duration: time that they cover [s].
    """

    qd: Array
    spread: Array
    duration: float


class Differentiator:
    """Positions of the last moments; used by one thread."""

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._recent: deque[tuple[int, Array]] = deque(maxlen=MAX_STATES)
        self.rate = 0.0
        """States per second, of the last two [Hz]; 0 = not known."""

    def moved(self, ns: int, q: Array) -> float:
        """Return the largest speed since the last state [rad/s]; 0 where it is not known.

        What an encoder's noise makes of it does not count.
        """
        if not self._recent or ns <= self._recent[-1][0]:
            return 0.0
        at, before = self._recent[-1]
        way = float(np.abs(q - before).max())
        return way / (ns - at) * SECOND if way > NOISE else 0.0

    def add(self, ns: int, q: Array) -> Slope | None:
        """Take positions ``(n,)`` [rad] at ``ns``; return how they change, None = not known."""
        recent = self._recent
        if recent and ns <= recent[-1][0]:  # another clock: what was is worth nothing
            recent.clear()
        self.rate = SECOND / (ns - recent[-1][0]) if recent else 0.0
        recent.append((ns, q))
        while ns - recent[0][0] > SPAN * SECOND:
            recent.popleft()
        duration = (ns - recent[0][0]) / SECOND
        if len(recent) < MIN_STATES or duration < MIN_SPAN:
            return None
        t = np.array([(at - ns) / SECOND for at, _ in recent])
        rows = np.array([position for _, position in recent])
        t -= t.mean()
        return Slope(t @ rows / (t @ t), np.ptp(rows, axis=0), duration)
