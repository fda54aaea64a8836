"""Joint states over time: states that no arm can make, and velocities where a driver has none.

A velocity is the slope of a straight line through the positions of the last :data:`SPAN`.  One
difference of two positions would be as noisy as the speed at which an arm counts as standing:
1e-4 rad of encoder noise at 100 Hz make 0.014 rad/s of it, and 0.002 rad/s of the slope.  The price
is a lag of half the span, 30 ms.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import SECOND, Array
from icpi_ros.robots.base import Arm

TOLERANCE = 0.05
"""Distance between two states beyond what the arm's speed allows [rad]: stamps that are 16 ms off
at full speed make as much."""
BELIEVED_AGAIN = 0.3
"""Steady time without a jump after which states are believed again [s]."""
LEAP = 2.0
"""Longest step of the stamps beyond the steady time that passed [s]: an arm's clock makes none."""
SIMULATED_LEAP = 60.0
"""The same of a simulation, which may run freely for a moment [s]; a bag's may be longer."""
FORGOTTEN = 3.0
"""Steady time without any state after which a jump before it is not reported any more [s]."""
PACED = 5.0
"""Pace of the arm's clock above which it belongs to a free-running simulation and may leap."""


class Continuity:
    """Check that joint states follow from one another; callbacks write, any thread reads.

    Args:
        arm: whose limits of speed count.
        leap: longest step of the stamps beyond the steady time that passed [s].
    """

    def __init__(self, arm: Arm, leap: float = LEAP) -> None:
        self._leap = leap
        self._joints, self._speed = arm.joints, arm.limits.velocity
        self._last: tuple[int, Array, float] | None = None
        self._broken = -np.inf
        self.doubt = ""
        """Reason why the arm's state is unknown; empty = it is known."""

    def doubt_at(self, now: float) -> str:
        """Return the doubt at steady time ``now`` [s]; missing states are a newer reason."""
        missing = self._last is not None and now - self._last[2] > FORGOTTEN
        return "" if missing else self.doubt

    def follows(self, ns: int, q: Array, arrival: float, pace: float) -> bool:
        """Take a state; tell whether it and those shortly before it follow from one another.

        Args:
            ns: its stamp [ns].
            q: ``(n,)`` positions [rad].
            arrival: when it came, steady [s].
            pace: of the arm's clock against the steady one.
        """
        last, self._last = self._last, (ns, q, arrival)
        reason = "" if last is None else self._jump(last, self._last, pace)
        if reason:
            self._broken, self.doubt = arrival, reason
        elif self.doubt and arrival - self._broken > BELIEVED_AGAIN:
            self.doubt = ""
        return not self.doubt

    def _jump(
        self, last: tuple[int, Array, float], new: tuple[int, Array, float], pace: float
    ) -> str:
        passed = (new[0] - last[0]) / SECOND
        waited = new[2] - last[2]
        if passed - waited > self._leap and pace < PACED:
            return (
                f"the clock of joint_states leapt by {passed:.4g} s within {waited:.2f} s: see "
                "what else publishes them, or sets the clock of the arm's computer"
            )
        moved = np.abs(new[1] - last[1])
        allowed = self._speed * max(passed, 0.0) + TOLERANCE
        i = int(np.argmax(moved - allowed))
        if moved[i] <= allowed[i]:
            return ""
        return (
            f"{self._joints[i]} jumped from {last[1][i]:.4f} to {new[1][i]:.4f} rad between two "
            f"joint states {passed:.4f} s apart: {moved[i]:.4f} rad, at most {allowed[i]:.4f} are "
            f"possible ({self._speed[i]:.4g} rad/s x time + {TOLERANCE:g}): see what else "
            "publishes joint_states"
        )


SPAN = 0.06
"""Time over which positions are differentiated, on the clock of the states [s]."""
MIN_SPAN = 0.03
"""Least of that time [s]: a few states at 1000 Hz are too short."""
MIN_STATES = 3
"""Positions that are needed for it."""
MIN_RATE = 40.0
"""Joint states per second at which all of that is there, with some jitter [Hz]."""
NOISE = 5e-4
"""Way between two states below which a joint counts as not moving [rad]."""
MAX_STATES = 200
"""Positions that are kept, so that the work has a bound at any rate."""


@dataclass(frozen=True)
class Slope:
    """Motion of the joints over a span of time.

    Attributes:
        qd: ``(n,)`` velocities [rad/s].
        extent: ``(n,)`` range of the positions over the span [rad]: at a turning point
            the slope is nothing although the joint moves.
        duration: time that they cover [s].
    """

    qd: Array
    extent: Array
    duration: float


class Differentiator:
    """Joint velocities from the positions of the last moments; used by one thread."""

    def __init__(self) -> None:
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
