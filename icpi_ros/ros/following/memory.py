"""Memory of the executor: thetas executed in each run, and the last command to the arm; no ROS."""

from __future__ import annotations

from collections import OrderedDict

import numpy as np

from icpi_ros.core.types import Array

MAX_RUNS = 64
"""Runs that are remembered; the one not used for longest is forgotten."""
MAX_TRIALS = 1000
"""Executed thetas that are remembered of a run."""
NEAR = 0.01
"""Servo error beyond which the arm is no longer where it was left [rad]: it was moved."""


class RunMemory:
    """Executed thetas by run; "" holds the motions that belong to no run."""

    def __init__(self) -> None:
        """Remember nothing yet: after a restart every run begins slowly again."""
        self._runs: OrderedDict[str, list[Array]] = OrderedDict()

    def executed(self, run_id: str) -> list[Array]:
        """Return the thetas ``(d,)`` that were executed in a run, oldest first."""
        return list(self._runs.get(run_id, []))

    def add(self, run_id: str, theta: Array) -> None:
        """Note that theta ``(d,)`` was executed."""
        thetas = self._runs.setdefault(run_id, [])
        thetas.append(np.array(theta))
        del thetas[:-MAX_TRIALS]
        self._runs.move_to_end(run_id)
        while len(self._runs) > MAX_RUNS:
            self._runs.popitem(last=False)

    def ramp(self, run_id: str, first: float, trials: int) -> float:
        """Return the share of the usual speed for the run's next execution, ``first`` to 1.

        It rises in equal steps over the first ``trials`` executions (0 = no ramp).
        """
        count = len(self._runs.get(run_id, []))
        return 1.0 if count >= trials else first + (1.0 - first) * count / trials


class LastCommand:
    """End of the last motion: what the controller commands until the next one.

    A motion that starts there, and not where the arm is measured, starts without a step of the
    servos' error.  Shared by all trials of an executor; one worker thread at a time uses it.
    """

    def __init__(self) -> None:
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
