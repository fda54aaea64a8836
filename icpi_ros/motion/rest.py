"""Rule for an object at rest: one per task, used everywhere."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import Array, Indices


@dataclass(frozen=True)
class RestRule:
    """Rest: moved less than ``speed * window`` during ``window``, at least ``window`` long.

    With speed 0 (:meth:`never`) nothing ever rests: the trial window ends at the task's
    ``max_duration`` after the start of the stroke, in simulation and in the graph alike.

    Attributes:
        speed: mean speed below which the object rests [m/s].
        window: time over which the mean is taken [s].
        period: time between two position samples [s]; simulation and sensors sample like this.
    """

    speed: float
    window: float
    period: float = 0.01

    @classmethod
    def never(cls, period: float) -> RestRule:
        """Return the rule of a task whose window has a fixed length; ``period`` in [s]."""
        return cls(speed=0.0, window=period, period=period)

    @property
    def samples(self) -> int:
        """Number of sample periods in a window."""
        return max(1, round(self.window / self.period))

    def first_rest(self, positions: Array, start: Indices | int = 0) -> Indices:
        """Return the first resting sample of each trajectory, -1 if there is none.

        Args:
            positions: ``(N, T, 3)`` [m], one sample every ``period``.
            start: ``(N,)`` or one number: samples before this index do not count (the object
                has not been hit yet).
        """
        n = self.samples
        found = np.full(positions.shape[0], -1, dtype=np.int64)
        if positions.shape[1] <= n:
            return found
        moved = np.linalg.norm(positions[:, n:] - positions[:, :-n], axis=-1)
        counts = np.arange(moved.shape[1]) >= np.reshape(start, (-1, 1))
        slow = (moved < self.speed * self.window) & counts
        some = slow.any(axis=1)
        found[some] = slow[some].argmax(axis=1) + n
        return found


class RestDetector:
    """The same rule for a stream of stamped positions."""

    def __init__(self, rule: RestRule) -> None:
        self.rule = rule
        self._history: deque[tuple[float, Array]] = deque(maxlen=4 * rule.samples + 8)
        """Samples at least half a period apart, so that it spans the window at any rate."""

    def reset(self) -> None:
        """Forget all samples."""
        self._history.clear()

    def update(self, time: float, position: Array) -> bool:
        """Take a sample (``time`` [s], ``position`` ``(3,)`` [m]); return whether it rests.

        A sample that is not newer than the last one is ignored (clock reset: history dropped).
        """
        if self._history and time <= self._history[-1][0]:
            if time < self._history[-1][0] - self.rule.window:
                self._history.clear()
            else:
                return False
        if not self._history or time >= self._history[-1][0] + 0.5 * self.rule.period:
            self._history.append((time, position))
        reference = self._sample_before(time - self.rule.window + 0.1 * self.rule.period)
        if reference is None:
            return False
        then, where = reference
        moved = float(np.linalg.norm(position - where))
        return moved < self.rule.speed * (time - then)

    def _sample_before(self, time: float) -> tuple[float, Array] | None:
        for stamp, position in reversed(self._history):
            if stamp <= time:
                return stamp, position
        return None
