"""Sending of a motion from rest, with a rest in front in which its start becomes known.

A stop that carries the path under way needs its exact start.  A controller behind the action gives
it with its feedback: meanwhile the arm rests.  On the topic there is no answer; there the motion is
dated: its start, ``header.stamp``, is a moment ago.  It has begun when it arrives, and moves when
the rest is over, wherever in it the message came.  A simulated arm reports the start at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.core.types import SECOND, Array
from icpi_ros.motion.carried_stop import rested
from icpi_ros.motion.safety import CheckedTrajectory
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.arm_ports.arm_port import ArmPort, MotionCommand
from icpi_ros.ros.base.convert import ns_from_seconds

SLACK, SHIFTS = 0.1, 81
"""Largest error of a start that is only estimated [s], and the number of starts tried."""


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


REST = 0.2
"""Steady rest in front of a motion [s], longer than a message or the first feedback takes on a busy
machine: an arm jumps to a dated motion that arrives after its rest."""
RECENT = 0.05
"""Oldest joint state whose stamp dates a motion [steady s]: the rest must be ahead of it."""
FASTEST = 2.0
"""Pace of the arm's clock up to which a motion gets a rest: a simulation that runs freely would be
past it before it arrives."""


@dataclass(frozen=True)
class Sending:
    """A motion as it is sent.

    Attributes:
        trajectory: with the rest in front, if it has one.
        rest: duration of that [s].
        stamp: its start on the arm's clock [ns]; 0 = at once.
        joined: sent without its first point.
    """

    trajectory: JointTrajectory
    rest: float
    stamp: int
    joined: bool

    def command(self, checked: CheckedTrajectory, label: str) -> MotionCommand:
        """Return the order to send it, once the gate has passed its trajectory."""
        return MotionCommand(checked, label, self.stamp, self.joined)

    def dated(self, ns: int) -> Sending:
        """Return the same, started at ``ns`` of the arm's clock if it is dated at all [ns]."""
        return replace(self, stamp=ns) if self.stamp else self

    def running(self, start: int, exact: bool) -> Running:
        """Return the motion under way, started at ``start`` [ns] as far as the arm reported."""
        known_from = float(self.trajectory.times[1]) if self.joined else 0.0
        return Running(self.trajectory, self.stamp or start, exact or self.stamp > 0, known_from)

    def sharper(self, running: Running, port: ArmPort, label: str) -> Running:
        """Return the motion with its exact start if that is known by now, else as it is."""
        status = port.status(label, "accepted")
        if running.exact or status is None or not port.exact(label):
            return running
        return self.running(status.ns, True)


def sending(port: ArmPort, motion: JointTrajectory, joined: bool) -> Sending:
    """Return a motion from rest as it is sent through a port."""
    state = port.state
    if port.reports_start or state is None or state.ns <= 0 or port.pace > FASTEST:
        return Sending(motion, 0.0, 0, joined)
    rest = REST * max(port.pace, 1.0)
    stamp = 0 if port.answers else state.ns
    return Sending(rested(motion, rest, joined), rest, stamp, joined)


def path_start(sent: Sending, running: Running) -> int:
    """Return when the motion itself starts, after its rest [ns]."""
    return running.start + ns_from_seconds(sent.rest)
