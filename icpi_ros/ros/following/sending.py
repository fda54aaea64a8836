"""How a motion from rest is sent: with a rest in front, in which its start becomes known.

A stop that carries the path under way needs its exact start.  A controller behind the action tells
it with its feedback: meanwhile the arm rests.  On the topic nobody tells it; there the motion is
dated: its start, ``header.stamp``, is a moment ago.  It has begun when it arrives, and moves when
the rest is over, wherever in it the message came.  A simulated arm tells the start at once.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from icpi_ros.motion.carried_stop import rested
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.ros.arm_ports.arm_port import ArmPort
from icpi_ros.ros.base.convert import ns_from_seconds
from icpi_ros.ros.following.running import Running

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
    """What is sent.

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

    @property
    def how(self) -> dict[str, Any]:
        """What :meth:`ArmPort.send` needs to know, where it is not the usual."""
        stamped = {"start_ns": self.stamp} if self.stamp else {}
        return stamped | ({"joined": True} if self.joined else {})

    def dated(self, ns: int) -> Sending:
        """Return the same, started at ``ns`` of the arm's clock if it is dated at all [ns]."""
        return replace(self, stamp=ns) if self.stamp else self

    def running(self, start: int, exact: bool) -> Running:
        """Return the motion under way, started at ``start`` [ns] as far as the arm told."""
        known_from = float(self.trajectory.times[1]) if self.joined else 0.0
        return Running(self.trajectory, self.stamp or start, exact or self.stamp > 0, known_from)

    def sharper(self, running: Running, port: ArmPort, label: str) -> Running:
        """Return the motion with its exact start if that is known by now, else as it is."""
        status = port.status(label, "accepted")
        if running.exact or status is None or not port.exact(label):
            return running
        return self.running(status.ns, True)


def sending(port: ArmPort, motion: JointTrajectory, joined: bool) -> Sending:
    """Return how a motion from rest is sent through a port."""
    state = port.state
    if port.tells_start or state is None or state.ns <= 0 or port.pace > FASTEST:
        return Sending(motion, 0.0, 0, joined)
    rest = REST * max(port.pace, 1.0)
    stamp = 0 if port.answers else state.ns
    return Sending(rested(motion, rest, joined), rest, stamp, joined)


def path_start(sent: Sending, running: Running) -> int:
    """Return when the motion itself starts, after its rest [ns]."""
    return running.start + ns_from_seconds(sent.rest)
