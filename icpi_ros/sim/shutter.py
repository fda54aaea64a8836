"""Shutter of a simulated camera: from states to exposures, without rendering.

Cheap enough for the simulation thread: it copies joint positions, nothing else.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import SECOND, Array
from icpi_ros.sim.camera_settings import CameraSettings

_DROPS = 0xD20B
"""Second entropy word of the frames that are dropped."""


@dataclass(frozen=True)
class Exposure:
    """States of the scene while the shutter was open.

    Attributes:
        number: of the frame since time 0; dropped frames count.
        ns: middle of the exposure, the stamp of the image [ns].
        length: of the exposure [ns].
        times: of the states, ascending, from before the beginning to after the end [ns].
        states: joint positions ``(nq,)`` at these times.
    """

    number: int
    ns: int
    length: int
    times: tuple[int, ...]
    states: tuple[Array, ...]

    @property
    def still(self) -> bool:
        """True if nothing moved."""
        return all(np.array_equal(state, self.states[0]) for state in self.states[1:])

    def instants(self, count: int) -> list[float]:
        """Return the middles of ``count`` equal parts of the exposure [ns]."""
        begin = self.ns - 0.5 * self.length
        return [begin + (i + 0.5) / count * self.length for i in range(count)]

    def around(self, ns: float) -> tuple[Array, Array, float]:
        """Return the states before and after a time [ns], and its share of their interval."""
        last = len(self.times) - 1
        after = min(int(np.searchsorted(self.times, ns, side="right")), last)
        before = max(0, after - 1)
        gap = self.times[after] - self.times[before]
        share = (ns - self.times[before]) / gap if gap > 0 else 1.0
        return self.states[before], self.states[after], float(np.clip(share, 0.0, 1.0))


class Shutter:
    """Shutter of a fixed rate from time 0; it holds exposures back for the camera's latency.

    Frame k is centred on ``k / rate``.  Which frames are dropped depends on the seed alone.
    """

    def __init__(self, settings: CameraSettings) -> None:
        """Start with the first state that is seen."""
        self._period = SECOND / settings.rate
        self._half = round(0.5 * settings.exposure * SECOND)
        self._latency = round(settings.latency * SECOND)
        self._drop = settings.drop
        self._rng = np.random.default_rng([settings.seed, _DROPS])
        self._number = 0
        self._seen: deque[tuple[int, Array]] = deque()
        self._held: deque[Exposure] = deque()
        self.taken = 0
        """Frames so far, with those that were dropped."""
        self.dropped = 0
        """Frames that were dropped because the settings say so."""

    def see(self, ns: int, qpos: Array) -> None:
        """Note joint positions ``(nq,)`` at time ``ns``; times must not go back.

        Two states at the same time are a jump: no image shows anything in between.
        """
        self._seen.append((ns, qpos.copy()))
        while self._middle + self._half <= ns:
            if self._middle - self._half >= self._seen[0][0]:
                self._expose()
            self._number += 1
        while len(self._seen) > 1 and self._seen[1][0] <= self._middle - self._half:
            self._seen.popleft()

    def due(self, ns: int) -> list[Exposure]:
        """Return, once, the exposures that the camera has delivered by time ``ns``, in order."""
        ready = []
        while self._held and self._held[0].ns + self._half + self._latency <= ns:
            ready.append(self._held.popleft())
        return ready

    @property
    def _middle(self) -> int:
        return round(self._number * self._period)

    def _expose(self) -> None:
        self.taken += 1
        if self._rng.random() < self._drop:
            self.dropped += 1
            return
        begin = self._middle - self._half
        first = max(i for i, (ns, _) in enumerate(self._seen) if ns <= begin)
        times, states = zip(*list(self._seen)[first:], strict=True)
        self._held.append(Exposure(self._number, self._middle, 2 * self._half, times, states))
