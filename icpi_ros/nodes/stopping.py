"""Stopping an arm: brake on the path of the motion under way, or hold; then see it stand.

The braking trajectory replaces the motion at a moment a little ahead (its header's stamp), so
that the controller has it in time and joins it without a jump.  ``header.stamp`` is on the arm's
clock, that of ``joint_states``.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, replace

import numpy as np

from icpi_ros.errors import MotionRefused
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.stop import safe_stop
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.nodes.arm_feed import ArmState
from icpi_ros.nodes.arm_port import ArmPort
from icpi_ros.nodes.convert import ns_from_seconds
from icpi_ros.types import SECOND, Array

STANDING = 20_000_000
"""An arm stands if it does so for this long of its own time [ns]: one sample could be a turning
point."""
STANDING_UNTOLD = 100_000_000
"""The same where it refused to stop [ns]: a motion that just begins is as slow for a moment."""
LEADS = (0.012, 0.018, 0.03, 0.05)
"""From planning a stop to its begin [s], one try after the other: planning takes 5 ms and
transport 1 ms, and a controller refuses what comes too late to be joined within the limits."""
TRANSPORT = 0.004
"""A stop that is planned with less time left than this is not sent but planned anew [s]: to hear
that it came too late takes longer."""
BLEND = 0.05
"""The same where the start of the motion is not exactly known [s]: time to join without a jerk."""
SLACK, SHIFTS = 0.1, 81
"""How far a start that is only estimated may be off [s], and how many starts are tried."""
TOLD = 0.2
"""Steady time to hear of a silent arm's controller that it refuses a stop [s]."""
LATE = 0.15
"""Arm's time after the planned end of a stop when a moving arm is told to hold [s]."""
ENDS = ("rejected", "done", "aborted", "cancelled", "replaced")
"""States of a motion that is over."""
HOLDS = 4
"""How often an arm that moves on is told to hold, each time more gently."""


@dataclass(frozen=True)
class Running:
    """The motion under way: its path, its start on the arm's clock [ns], and if that is exact.

    Where it is not, the path is searched for the time that fits a state best.
    """

    trajectory: JointTrajectory
    start: int
    exact: bool

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


class Stopper:
    """Stops one arm; used by one worker thread.

    Args:
        port: the way to the arm.
        gate: checks the stops as it checks every motion.
        changed: notified at every news of the arm.
        silence: steady time after which a joint state is too old to tell anything [s].
        limit: longest steady time until a stopped arm stands [s].
    """

    def __init__(
        self,
        port: ArmPort,
        gate: SafetyGate,
        changed: threading.Condition,
        silence: float,
        limit: float,
    ) -> None:
        """Keep the parts."""
        self._port, self._gate, self._changed = port, gate, changed
        self._silence, self._limit = silence, limit

    def stop(self, running: Running | None, tolerance: float, name: str, pending: str = "") -> bool:
        """Brake and wait until the arm stands; tell whether it was seen to.

        Args:
            running: the motion under way; None = none is known.
            tolerance: joint distance from its path beyond which braking on it makes no sense
                [rad].
            name: of the trial, for labels.
            pending: label of a motion that was sent and is not answered yet; empty = none.
        """
        if running is not None:
            running = self._followed(running, tolerance)
        if running is not None:
            seen = self._brake(running, name)
            if seen is not None:
                return seen
        return self._hold(name, pending)

    def _hold(self, name: str, pending: str) -> bool:
        """Hold, more gently each time; tell whether the arm was seen to stand."""
        deadline = time.monotonic() + self._limit
        for attempt in range(HOLDS):
            label = self._port.label(f"{name}/hold")
            asked = self._port.now
            end = asked + ns_from_seconds(self._port.hold(label, attempt))
            last = attempt == HOLDS - 1
            if last:
                end = asked  # what refuses all of them stops by itself, or does not
            seen = self._stands_after(end, "" if last else label, deadline, pending)
            if seen is not None:
                return seen
        return False

    def _brake(self, running: Running, name: str) -> bool | None:
        """Brake on the path; tell whether the arm was seen to stand, None if that failed."""
        for lead in LEADS if running.exact else (BLEND,):
            label = self._port.label(f"{name}/stop")
            end = self._send_stop(running, lead, label)
            if end is None:
                continue
            seen = self._stands_after(end, label, time.monotonic() + self._limit)
            if seen is not None:
                return seen
            if self._port.status(label, "rejected") is None:
                return None  # it was taken: what is planned on the path that was left would jump
        return None

    def _send_stop(self, running: Running, lead: float, label: str) -> int | None:
        """Send a stop; return its end on the arm's clock [ns].

        None: the gate refused it, or planning took so long that it would come too late.
        """
        pace = max(self._port.pace, 1.0)
        begin = self._port.now + ns_from_seconds(lead * pace)
        try:
            checked = safe_stop(self._gate, running.trajectory, running.elapsed(begin))
        except MotionRefused:
            return None
        left = begin - self._port.now
        if left < ns_from_seconds(TRANSPORT * pace) and lead not in (BLEND, LEADS[-1]):
            return None
        self._port.send(checked, label, begin)
        return begin + ns_from_seconds(checked.trajectory.duration)

    def _followed(self, running: Running, tolerance: float) -> Running | None:
        """Return the motion if the arm is where it wants it; an old state says nothing."""
        state = self._port.state
        if state is None or self._too_old(state):
            return running
        aligned, off = running.aligned(state)
        return aligned if off.max() <= tolerance else None

    def _stands_after(self, ns: int, label: str, deadline: float, pending: str = "") -> bool | None:
        """Wait until the arm stands after ``ns`` of its clock; None = it does not obey ``label``.

        A motion that is still ``pending`` may begin at any moment: standing means nothing yet.
        """
        since: int | None = None
        told = time.monotonic() + TOLD
        while time.monotonic() < deadline:
            with self._changed:
                self._changed.wait(0.05)
            state = self._port.state
            refused = self._port.status(label, "rejected", "aborted") is not None
            if state is None or self._too_old(state):
                if refused:
                    return None
                if time.monotonic() > told:
                    return False  # nobody is left who could say that it stands
                continue
            over = not pending or self._port.status(pending, *ENDS) is not None
            # What was refused has no end to wait for; an arm may have braked by itself.
            if (state.ns < ns and not refused) or not state.stands or not over:
                since = None
            elif since is None:
                since = state.ns
            elif state.ns - since >= (STANDING_UNTOLD if refused else STANDING):
                return True
            late = state.ns > ns + ns_from_seconds(LATE)
            if label and (refused or late) and not state.stands:
                return None
        return False

    def _too_old(self, state: ArmState) -> bool:
        return state.age > self._silence


def hold_if_moving(port: ArmPort) -> bool:
    """Hold an arm that moves outside of any trial; tell whether it did.

    An executor before this one may have begun the motion, or another program.
    """
    state = port.state
    if state is None or state.stands:
        return False
    port.hold(port.label("stop/hold"))
    return True
