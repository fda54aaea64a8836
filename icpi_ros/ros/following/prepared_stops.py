"""Stops of the motion under way, planned, checked and written before anybody asks for one.

Planning and checking take several milliseconds, and longer on a busy machine.  Here a thread does
it while the motion runs, for braking that begins every :data:`GRID` of the motion; stopping is
then one publish.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil
from typing import Any

from icpi_ros.core.errors import MotionRefused
from icpi_ros.motion.carried_stop import CarriedStop, carried_stop
from icpi_ros.motion.safety import CheckedTrajectory, SafetyGate
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.ros.following.stop_leads import Leads

GRID = 0.02
"""Time of the motion between the begins of two stops that are prepared [s]."""
AHEAD = 25
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
        leads: is told how long planning takes, tells how far ahead a stop is sent.
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
        """Begin to prepare."""
        self._gate, self._running, self._known_from = gate, running, known_from
        self._write, self._leads, self._pace = write, leads, pace
        self._ready: list[PreparedStop] = []
        self._lock = threading.Lock()
        self._passed = 0.0
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._prepare, daemon=True)
        self._thread.start()

    def passed(self, elapsed: float) -> None:
        """Forget stops that would begin before the motion's time ``elapsed`` [s]."""
        with self._lock:
            self._passed = elapsed
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
                count, passed = len(self._ready), self._passed
            number = max(number, int(passed / GRID) + 1)
            begin = number * GRID
            if begin > self._running.duration:
                return  # it is at rest by itself
            if count >= AHEAD:
                self._end.wait(GRID)
                continue
            started = time.monotonic()
            try:
                lead = self._leads.prepared * self._pace + GRID  # the next one is so much later
                stop = carried_stop(self._gate, self._running, begin, self._known_from, lead)
            except MotionRefused:
                return  # asked for, it is planned and refused again: that is told then
            item = PreparedStop(stop, self._write(stop.checked))
            took = time.monotonic() - started
            self._leads.planning.add(took)
            with self._lock:
                self._ready.append(item)
            number += 1
            self._end.wait(min(REST * took, GRID))
