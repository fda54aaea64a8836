"""How far ahead a stop must begin: measured in the graph that it is sent through."""

from __future__ import annotations

from collections import deque

import numpy as np

from icpi_ros.core.types import SECOND

UPDATES = 2.0
"""Periods of the controller that pass at worst from the arrival of a stop until its first command
is due: one until an update sees it, one that the update is ahead."""
TRANSPORT = 0.003
"""Shortest time for sending and transport [s]."""
LONGEST = 0.1
"""Longest lead [s]: a machine that needs more is too slow to stop an arm in time."""
WINDOW = 100
"""Joint states among which the quickest is looked for: the two clocks drift apart."""
KEPT = 200
"""Values of which the quantile is taken."""
SHARE = 0.99


class RunningQuantile:
    """Quantile of the last values; any thread may add, any may ask."""

    def __init__(self, share: float = SHARE, kept: int = KEPT) -> None:
        """Nothing was measured yet."""
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
        """Assume the floor until something is measured."""
        self.floor = UPDATES / rate + TRANSPORT
        self.planning = RunningQuantile()
        """How long a stop took to be planned and checked [s]."""
        self.delay = RunningQuantile()
        """How much later than the quickest ones joint states came lately [s]."""
        self._offsets = deque[float](maxlen=WINDOW)
        self._last_ns = 0

    def heard(self, ns: int, arrival: float, pace: float) -> None:
        """Count a joint state: stamp [ns], steady time of arrival [s], pace of the arm's clock.

        How much later than the quickest of the last ones it came tells of transport and of
        waiting for the processor; a simulation that runs freely has no clock to tell by.
        """
        if (ns == self._last_ns) or not 0.8 < pace < 1.25:
            return
        self._last_ns = ns
        self._offsets.append(arrival - ns / SECOND)
        self.delay.add(self._offsets[-1] - min(self._offsets))

    @property
    def prepared(self) -> float:
        """Lead of a stop that is ready to be sent [s]."""
        return min(self.floor + self.delay.value, LONGEST)

    @property
    def planned(self) -> float:
        """Lead of a stop that is still to be planned [s]."""
        return min(self.floor + self.delay.value + self.planning.value, LONGEST)
