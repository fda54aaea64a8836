"""The motion under way: what the controller commands now and in the coming instants."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.types import SECOND, Array
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.base.convert import ns_from_seconds

SLACK, SHIFTS = 0.1, 81
"""How far a start that is only estimated may be off [s], and how many starts are tried."""


@dataclass(frozen=True)
class Running:
    """The motion under way.

    Attributes:
        trajectory: its path.
        start: on the arm's clock [ns].
        exact: the start is exact; where it is not, the path is searched for the time that fits a
            state best.
        known_from: its own time from which exactly this path is commanded [s]; before that a
            controller goes over into it from what it commanded.
    """

    trajectory: JointTrajectory
    start: int
    exact: bool
    known_from: float = 0.0

    def elapsed(self, ns: int) -> float:
        """Return its own time at ``ns`` of the arm's clock [s], not below 0."""
        return max(ns - self.start, 0) / SECOND

    def aligned(self, state: ArmState) -> tuple[Running, Array]:
        """Return the motion with the start that fits a state best, and the joints' distances.

        Distances from the path are ``(n,)`` [rad].
        """
        slack = np.zeros(1) if self.exact else np.linspace(-SLACK, SLACK, SHIFTS)
        wanted, _, _ = self.trajectory.sample(self.elapsed(state.ns) + slack)
        off = np.abs(state.q - wanted)
        best = int(np.argmin(off.max(axis=1)))
        return replace(self, start=self.start - ns_from_seconds(float(slack[best]))), off[best]
