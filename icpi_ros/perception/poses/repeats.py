"""Poses that repeat bit for bit: a tracker that lost its object and sends the last one again.

A repeated pose is no measurement where the object was in motion before it, or where the tracker
has shown noise at rest, which no two of its poses share.  An object at rest in a simulation may
repeat: :class:`.settings.PoseSettings` says whether that is meant.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import pairwise

from icpi_ros.core.types import SECOND, Array
from icpi_ros.perception.poses.frames import length

MAX_REPEAT = 0.075
"""Longest time for which a moving object's pose may repeat [s]: a tracker at 15 Hz, sent on at a
higher rate, does it for 0.067 s."""
MOVING = 0.1
"""Speed from which an object does not stop from one sample to the next [m/s]."""
SPEED_SPAN = 0.025
"""Time over which that speed is taken [s]."""
NOISE_STEPS = 20
"""Steps from pose to pose in which noise is looked for."""
NOISE_TURNS = 10
"""Steps back among them that noise makes; a creeping object makes none."""
NOISE_EXTENT = 0.002
"""Longest way within these steps of an object at rest [m]."""
LEAP = 0.03
"""Way in one step, after poses that repeated, that shows they were no measurement [m]."""
LEAP_SPEED = 5.0
"""Speed of such a step at least [m/s]."""


@dataclass(frozen=True)
class RepeatVerdict:
    """Verdict on a pose.

    Attributes:
        lost: it is no measurement.
        since: poses after this stamp and before this one are none either [ns]; None = they are.
        doubtful: it repeats the one before, of an object in motion: that it rests is not believed.
    """

    lost: bool = False
    since: int | None = None
    doubtful: bool = False


BELIEVED = RepeatVerdict()


class RepeatWatch:
    """Watch over repeated poses; takes every pose in the order of its stamps."""

    def __init__(self) -> None:
        self._run: tuple[int, bytes, Array] | None = None
        self._last = 0
        self._moving = self._noisy = False
        self._distinct: deque[tuple[int, Array]] = deque(maxlen=NOISE_STEPS + 1)

    def reset(self) -> None:
        """Forget all poses."""
        self.__init__()  # type: ignore[misc]

    @property
    def noisy(self) -> bool:
        """True once the tracker's poses of an object at rest differed."""
        return self._noisy

    def take(self, ns: int, bits: bytes, position: Array) -> RepeatVerdict:
        """Take a pose.

        Args:
            ns: its stamp, newer than the last one [ns].
            bits: the whole pose, orientation included.
            position: ``(3,)`` [m].
        """
        if self._run is not None and bits == self._run[1]:
            self._last = ns
            age = (ns - self._run[0]) / SECOND
            if age >= MAX_REPEAT and (self._moving or self._noisy):
                return RepeatVerdict(True, self._run[0])
            return RepeatVerdict(doubtful=self._moving)
        verdict = self._gone_on(ns, position)
        self._run, self._last = (ns, bits, position), ns
        self._moving = self._speed(ns, position) > MOVING
        self._distinct.append((ns, position))
        self._noisy = self._noisy or self._has_noise()
        return verdict

    def _gone_on(self, ns: int, position: Array) -> RepeatVerdict:
        """Judge what repeated before a new pose by the step to it."""
        if self._run is None or self._last - self._run[0] < MAX_REPEAT * SECOND:
            return BELIEVED
        way, time = length(position - self._run[2]), (ns - self._last) / SECOND
        if way > LEAP and way > LEAP_SPEED * time:
            return RepeatVerdict(since=self._run[0])
        return BELIEVED

    def _speed(self, ns: int, position: Array) -> float:
        """Return the speed over the last moment [m/s]; 0 = not known."""
        before = [told for told in self._distinct if ns - told[0] >= SPEED_SPAN * SECOND]
        if not before and len(self._distinct) <= NOISE_STEPS:
            return 0.0
        then, where = before[-1] if before else self._distinct[0]
        return length(position - where) / (ns - then) * SECOND

    def _has_noise(self) -> bool:
        if len(self._distinct) <= NOISE_STEPS:
            return False
        points = [where for _, where in self._distinct]
        if length(points[-1] - points[0]) > NOISE_EXTENT:
            return False
        steps = [after - before for before, after in pairwise(points)]
        turns = sum(float(a @ b) < 0.0 for a, b in pairwise(steps))
        return turns >= NOISE_TURNS
