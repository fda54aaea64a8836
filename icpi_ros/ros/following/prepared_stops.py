"""Stops of the motion under way, planned, checked and written before one is needed.

Planning and checking take several milliseconds, and longer on a busy machine.  Here a thread does
it while the motion runs, for braking that begins every :data:`GRID` of the motion; stopping is
then one publish.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import SECOND
from icpi_ros.motion.carried_stop import CarriedStop, carried_stop
from icpi_ros.motion.safety import CheckedTrajectory, SafetyGate
from icpi_ros.motion.trajectory import JointTrajectory

UPDATES = 2.0
"""Periods of the controller that pass at worst from the arrival of a stop until its first command
is due: one until an update sees it, one that the update is ahead."""
TRANSPORT = 0.003
"""Shortest time for sending and transport [s]."""
MAX_LEAD = 0.1
"""Longest lead [s]: a machine that needs more is too slow to stop an arm in time."""
OFFSETS = 100
"""Joint states among which the quickest is looked for: the two clocks drift apart."""
MAX_VALUES = 200
"""Values of which the quantile is taken."""
MAX_DELAY = 20_000_000
"""Longest delay of the newest joint state that is taken for one [ns]."""
QUANTILE = 0.99
"""Quantile of measured times that a lead allows for, 0 to 1."""


class RunningQuantile:
    """Quantile of the last values; any thread may add, any may ask."""

    def __init__(self, share: float = QUANTILE, kept: int = MAX_VALUES) -> None:
        self._share, self._values = share, deque[float](maxlen=kept)

    def add(self, value: float) -> None:
        """Count a value."""
        self._values.append(value)

    @property
    def value(self) -> float:
        """The quantile; 0 so far."""
        values = list(self._values)
        return float(np.quantile(values, self._share)) if values else 0.0


class Leads:
    """Time from deciding on a stop until its braking may begin, steady [s].

    Args:
        rate: updates of the controller per second [Hz].
    """

    def __init__(self, rate: float) -> None:
        self.floor = UPDATES / rate + TRANSPORT
        self.planning = RunningQuantile()
        """Time for planning and checking a stop [s]."""
        self.delay = RunningQuantile()
        """Delay of joint states against the quickest of the last ones [s]."""
        self._offsets = deque[float](maxlen=OFFSETS)
        self._last_ns = 0

    def observe(self, ns: int, arrival: float, pace: float) -> None:
        """Count a joint state: stamp [ns], steady time of arrival [s], pace of the arm's clock.

        Its delay against the quickest of the last ones is transport and waiting for the processor;
        a simulation that runs freely has no clock to measure it.
        """
        if (ns == self._last_ns) or not 0.8 < pace < 1.25:
            return
        self._last_ns = ns
        self._offsets.append(arrival - ns / SECOND)
        self.delay.add(self._offsets[-1] - min(self._offsets))

    def arm_time(self, estimated: int) -> int:
        """Return the arm's time now [ns], by the quickest of the last states.

        Args:
            estimated: the same from the newest state, which may have come late [ns].
        """
        offsets = list(self._offsets)
        if not offsets:
            return estimated
        quickest = int((time.monotonic() - min(offsets)) * SECOND)
        # Nearly always ahead by what the newest was late; far off, another clock was begun.
        return quickest if 0 <= quickest - estimated <= MAX_DELAY else estimated

    @property
    def prepared(self) -> float:
        """Lead of a stop that is ready to be sent [s]."""
        return min(self.floor + self.delay.value, MAX_LEAD)

    @property
    def planned(self) -> float:
        """Lead of a stop that is still to be planned [s]."""
        return min(self.floor + self.delay.value + self.planning.value, MAX_LEAD)


GRID = 0.02
"""Time of the motion between the begins of two stops that are prepared [s]."""
MAX_READY = 25
"""Most stops that lie ready; the thread waits while there are more."""
REST = 0.5
"""Least share of the time that the thread rests: it must not take the processor from a stop."""


@dataclass(frozen=True)
class PreparedStop:
    """A stop and the message that carries it, but for label and stamp."""

    stop: CarriedStop
    message: Any


class PreparedStops:
    """Stops of one motion; :meth:`take` from any thread.

    Args:
        gate: that every stop passes.
        running: the motion.
        known_from: its own time from which the controller commands exactly this path [s].
        write: makes the message of a checked stop.
        leads: takes the time that planning takes, gives the lead of a stop.
        pace: of the arm's clock against the steady one.
    """

    def __init__(
        self,
        gate: SafetyGate,
        running: JointTrajectory,
        known_from: float,
        write: Callable[[CheckedTrajectory], Any],
        leads: Leads,
        pace: float = 1.0,
    ) -> None:
        self._gate, self._running, self._known_from = gate, running, known_from
        self._write, self._leads, self._pace = write, leads, pace
        self._ready: list[PreparedStop] = []
        self._lock = threading.Lock()
        self._passed, self._in_time = 0.0, True
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._prepare, daemon=True)
        self._thread.start()

    def passed(self, elapsed: float, in_time: bool = True) -> None:
        """Forget stops that would begin before the motion's time ``elapsed`` [s].

        None is prepared unless it would be ``in_time``.
        """
        with self._lock:
            self._passed, self._in_time = elapsed, in_time
            self._ready = [item for item in self._ready if item.stop.begin >= elapsed]

    def take(self, earliest: float) -> PreparedStop | None:
        """Return the first stop that begins at ``earliest`` [s] or later, if it is ready."""
        with self._lock:
            return next((item for item in self._ready if item.stop.begin >= earliest), None)

    def close(self) -> None:
        """End the thread; it may still be busy with one stop."""
        self._end.set()

    def _prepare(self) -> None:
        number = max(ceil(self._known_from / GRID), 1)
        while not self._end.is_set():
            with self._lock:
                count, passed, in_time = len(self._ready), self._passed, self._in_time
            number = max(number, int(passed / GRID) + 1)
            begin = number * GRID
            if begin > self._running.duration:
                return  # it is at rest by itself
            if count >= MAX_READY or not in_time:
                self._end.wait(GRID)
                continue
            started = time.monotonic()
            try:
                lead = self._leads.prepared * self._pace + GRID  # the next one is so much later
                stop = carried_stop(self._gate, self._running, begin, self._known_from, lead)
            except MotionRefused:
                return  # asked for, it is planned and refused again: that is reported then
            item = PreparedStop(stop, self._write(stop.checked))
            took = time.monotonic() - started
            self._leads.planning.add(took)
            with self._lock:
                self._ready.append(item)
            number += 1
            self._end.wait(min(REST * took, GRID))
