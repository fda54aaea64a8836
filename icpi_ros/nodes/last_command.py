"""Where the arm's controller holds it, as far as that is known."""

from __future__ import annotations

import numpy as np

from icpi_ros.types import Array

NEAR = 0.01
"""Servo error beyond which the arm is no longer where it was left [rad]: somebody moved it."""


class LastCommand:
    """End of the last motion: what the controller commands until the next one.

    A motion that starts there, and not where the arm is measured, starts without a step of the
    servos' error.  Shared by all trials of an executor; one worker thread at a time uses it.
    """

    def __init__(self) -> None:
        """Nothing is known yet."""
        self._q: Array | None = None

    def set(self, q: Array | None) -> None:
        """Note that ``q`` ``(n,)`` [rad] is commanded; None = it is not known."""
        self._q = q

    def near(self, measured: Array) -> Array | None:
        """Return what is commanded, None if that is not known or not where the arm is."""
        q = self._q
        if q is None or not np.abs(q - measured).max() <= NEAR:
            return None
        return q
