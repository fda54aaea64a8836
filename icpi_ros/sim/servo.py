"""Servos that follow their command late and not quite: what a controller measures."""

from __future__ import annotations

from collections import deque

import numpy as np

from icpi_ros.core.types import Array


class LaggingServo:
    """Joints that are where they were told to be some time ago.

    Args:
        q: ``(n,)`` first command [rad].
        lag: delay [s].
        period: time between two commands [s].
        offset: ``(n,)`` constant error of the position [rad], or one number.
    """

    def __init__(self, q: Array, lag: float, period: float, offset: Array | float = 0.0) -> None:
        """Stand at ``q``."""
        self._offset = offset
        still = (q, np.zeros_like(q))
        # A command is for one period after the update that made it.
        self._queue = deque([still] * (1 + round(lag / period)))

    def move(self, q: Array, qd: Array) -> tuple[Array, Array]:
        """Take the next command; return position [rad] and velocity [rad/s] one period later."""
        self._queue.append((q, qd))
        self._queue.popleft()
        there, speed = self._queue[0]
        return there + self._offset, speed
