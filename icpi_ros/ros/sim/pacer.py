"""Simulated time against real time."""

from __future__ import annotations

import threading
import time

IDLE = 0.25
"""Factor on real time while nothing moves in a free-running simulation; states cost every node."""
FIRST_PAUSE = 0.0025
"""Real time to the first tick after something moved [s], twice that to each that follows: whoever
was behind sees that all rests without waiting for an idle simulation."""
MAX_LAG = 0.1
"""Real time that a slow machine may catch up [s]; what is beyond is given up."""


class Pacer:
    """Pace of simulated time, kept at a multiple of real time.

    Args:
        factor: simulated seconds per real second; 0 = as fast as possible while something
            moves, then slower with every tick down to :data:`IDLE`, so that an idle simulation
            leaves the processor to others.
    """

    def __init__(self, factor: float) -> None:
        """Anchor the two times at the first wait."""
        self._factor = factor
        self._anchor: tuple[float, int] | None = None
        self._pause = FIRST_PAUSE

    def wait(self, ns: int, busy: bool, wake: threading.Event) -> None:
        """Wait until simulated time ``ns`` is due; a free-running one is woken by ``wake``."""
        now = time.monotonic()
        if self._factor == 0.0:
            self._wait_freely(now, ns, busy, wake)
            return
        if self._anchor is None:
            self._anchor = (now, ns)
        begin, begin_ns = self._anchor
        ahead = begin + (ns - begin_ns) * 1e-9 / self._factor - now
        if ahead < -MAX_LAG:
            self._anchor = (now, ns)
        elif ahead > 0.0:
            time.sleep(ahead)

    def _wait_freely(self, now: float, ns: int, busy: bool, wake: threading.Event) -> None:
        """Wait from one tick to the next while nothing moves."""
        if busy or wake.is_set():
            wake.clear()
            self._anchor, self._pause = None, FIRST_PAUSE
            return
        if self._anchor is not None:
            last, last_ns = self._anchor
            pause = min(self._pause, (ns - last_ns) * 1e-9 / IDLE)
            self._pause = 2.0 * pause
            if last + pause > now:
                wake.wait(last + pause - now)
        self._anchor = (time.monotonic(), ns)

    def due(self, ns: int) -> float:
        """Return the steady time at which simulated time ``ns`` is due [s], at least now."""
        now = time.monotonic()
        if self._anchor is None or self._factor == 0.0:
            return now
        begin, begin_ns = self._anchor
        return max(now, begin + (ns - begin_ns) * 1e-9 / self._factor)


class Sparing:
    """Limit of one message per ``period`` [s] of real time on average.

    Ticks of the same period come a little before their time as often as after it, and all of them
    are to pass: one may be up to a period earlier than the latest before it.  So two may pass at
    once after a pause.
    """

    def __init__(self, period: float) -> None:
        """The first one passes."""
        self._period = period
        self._next = 0.0

    def wait(self, now: float) -> float:
        """Return how long after steady time ``now`` [s] the next may be sent [s]; 0 = now."""
        return max(0.0, self._next - now)

    def sent(self, now: float) -> None:
        """Count a message that is sent at steady time ``now`` [s]."""
        self._next = max(self._next, now - self._period) + self._period

    def passes(self, now: float) -> bool:
        """Tell whether a message may be sent at steady time ``now`` [s]; count it if so."""
        if self.wait(now) > 0.0:
            return False
        self.sent(now)
        return True
