"""Messages per second between two looks at a counter."""

from __future__ import annotations

import time


class Rate:
    """Rate of a counter that only grows."""

    def __init__(self) -> None:
        """Begin with nothing counted."""
        self._count, self._at = 0, time.monotonic()

    def take(self, count: int) -> float:
        """Return the rate since the last call [Hz]; ``count``: all so far."""
        now = time.monotonic()
        rate = (count - self._count) / max(now - self._at, 1e-3)
        self._count, self._at = count, now
        return rate
