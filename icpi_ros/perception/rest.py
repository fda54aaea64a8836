"""Does the object rest, as far as a noisy sensor can tell?"""

from __future__ import annotations

from collections import deque

import numpy as np

from icpi_ros.motion.rest import RestRule
from icpi_ros.types import Array

LEAST_WINDOW = 0.4
"""Time over which a speed is estimated [s]: at 60 Hz and 0.3 mm per image good to 0.5 mm/s."""
LEAST_IMAGES = 8
MOST_IMAGES = 2000
SURE = 2.0
"""The speed must be this many of its standard deviations below the limit."""


class SeenRest:
    """The task's rest rule for noisy positions: the slope of a line through the last ones.

    Where :class:`icpi_ros.motion.rest.RestDetector` compares two true positions, this fits all
    positions of a longer window, so rest is seen up to 0.3 s later.
    """

    def __init__(self, rule: RestRule) -> None:
        """Start with an empty history."""
        self.rule = rule
        self._window = max(rule.window, LEAST_WINDOW)
        self._seen: deque[tuple[float, Array]] = deque(maxlen=MOST_IMAGES)

    def update(self, time: float, position: Array) -> bool:
        """Take a measurement (``time`` [s], ``(3,)`` [m]); tell whether the object rests.

        Time that goes back means a restarted clock: what was seen is forgotten.
        """
        if self._seen and time <= self._seen[-1][0]:
            self._seen.clear()
        self._seen.append((time, position))
        while self._seen[0][0] < time - self._window:
            self._seen.popleft()
        if len(self._seen) < LEAST_IMAGES or time - self._seen[0][0] < 0.75 * self._window:
            return False
        speed, doubt = self._speed()
        return speed + SURE * doubt < self.rule.speed

    def _speed(self) -> tuple[float, float]:
        """Return the length of the slope and its standard deviation [m/s]."""
        times = np.array([time for time, _ in self._seen])
        points = np.array([point for _, point in self._seen])
        times = times - times.mean()
        spread = float(times @ times)
        slope = times @ points / spread
        left = points - points.mean(axis=0) - np.outer(times, slope)
        variance = float(np.sum(left**2)) / (2.0 * (len(times) - 2))  # two dimensions move
        return float(np.linalg.norm(slope)), float(np.sqrt(variance / spread))
