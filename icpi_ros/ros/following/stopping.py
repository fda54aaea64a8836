"""Stopping an arm: brake on the path of the motion under way, or hold; then see it stand.

A stop carries the path with it (:mod:`icpi_ros.motion.carried_stop`): it has begun when it
arrives, and turns into braking a little later, so that no controller jerks when it takes it.  Its
``header.stamp`` is on the arm's clock, that of ``joint_states``.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import Array
from icpi_ros.motion.carried_stop import HOLD_TIME, CarriedTrajectory, carried_stop, hold_on_path
from icpi_ros.motion.safety import SafetyGate
from icpi_ros.motion.stop import safe_stop
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.arm_ports.arm_port import ArmPort, MotionCommand
from icpi_ros.ros.arm_ports.joint_history import PACED
from icpi_ros.ros.base.convert import ns_from_seconds
from icpi_ros.ros.following.answers import ENDS
from icpi_ros.ros.following.prepared_stops import Leads, PreparedStops
from icpi_ros.ros.following.sending import Running

STANDING = 20_000_000
"""An arm stands if it does so for this long of its own time [ns]: one sample could be a turning
point."""
STANDING_REFUSED = 100_000_000
"""The same where it refused to stop [ns]: a motion that just begins is as slow for a moment."""
LEADS = (1.0, 1.5, 2.5, 4.0)
"""Shares of the measured lead from planning a stop to its braking, one try after the other."""
BLEND = 0.05
"""The same where the start of the motion is not exactly known [s]: time to join."""
RATE = 250.0
"""Updates of the controller per second that are assumed [Hz]."""
FAST = 2.0
"""Pace of a simulation from which on no stop is prepared: the motion ends before it is ready."""
REFUSAL_TIMEOUT = 0.2
"""Steady time for a controller to report that it refuses a stop, without joint states [s]."""
MAX_JOIN_TIME = 0.5
"""Longest steady time to wait until a motion is where its path is known [s]."""
MAX_STOP_DELAY = 0.15
"""Arm's time after the planned end of a stop when a moving arm is commanded to hold [s]."""
MAX_HOLDS = 4
"""Holds that are sent to an arm that moves on, each more gentle."""


@dataclass(frozen=True)
class _Sent:
    """A stop that was sent: its label, its end on the arm's clock [ns], where it ends [rad]."""

    label: str
    end: int
    q: Array


class Stopper:
    """Stopper of one arm; used by one worker thread, but for :meth:`fire`.

    Args:
        port: the way to the arm.
        gate: checks the stops as it checks every motion.
        changed: notified at every news of the arm.
        joint_state_timeout: steady time after which a joint state is too old to count [s].
        limit: longest steady time until a stopped arm stands [s].
        leads: what was measured of the way to the arm.
    """

    def __init__(
        self,
        port: ArmPort,
        gate: SafetyGate,
        changed: threading.Condition,
        joint_state_timeout: float,
        limit: float,
        leads: Leads | None = None,
    ) -> None:
        self._port, self._gate, self._changed = port, gate, changed
        self._joint_state_timeout, self._limit = joint_state_timeout, limit
        self.leads = leads or Leads(RATE)
        self.rests_at: Array | None = None
        """Position where the arm comes to rest as commanded, if that is known [rad]."""
        self._prepared: PreparedStops | None = None
        self._fired: _Sent | None = None
        self._stopping = self._taken = False
        self._lock = threading.Lock()

    def prepare(self, running: Running) -> None:
        """Have stops of a motion that begins ready until :meth:`forget`."""
        self.forget()
        if running.exact and self._port.pace < FAST:
            self._prepared = PreparedStops(
                self._gate,
                running.trajectory,
                running.known_from,
                self._port.write,
                self.leads,
                self._pace,
            )

    def passed(self, running: Running) -> None:
        """Forget what was prepared for the past; rest while a simulation runs freely."""
        if self._prepared is not None:  # it may have idled before this motion
            self._prepared.passed(running.elapsed(self._port.now), self._port.pace < PACED)

    def forget(self) -> None:
        """End preparing: the motion is over, or was stopped."""
        with self._lock:
            prepared, self._prepared = self._prepared, None
        if prepared is not None:
            prepared.close()

    def fire(self, running: Running, tolerance: float, name: str) -> None:
        """Send a stop that is ready, from any thread; :meth:`stop` does what is left."""
        with self._lock:
            if self._stopping or self._prepared is None or self._fired is not None:
                return
            followed = self._followed(running, tolerance)
            if followed is not None:
                self._fired = self._send_prepared(followed, self._port.label(f"{name}/stop"))
                self._prepared.close()  # no more of them: the processor is needed

    def stop(self, running: Running | None, tolerance: float, name: str, pending: str = "") -> bool:
        """Brake and wait until the arm stands; tell whether it was seen to.

        Args:
            running: the motion under way; None = none is known.
            tolerance: joint distance from its path beyond which braking on it makes no sense
                [rad].
            name: of the trial, for labels.
            pending: label of a motion that was sent and is not answered yet; empty = none.
        """
        with self._lock:
            self._stopping = True  # from now on no other thread sends a second stop
        self.rests_at = None
        if running is not None and running.exact:
            self._await_known(running)
        followed = None if running is None else self._followed(running, tolerance)
        braked = followed
        if self._fired is not None:  # the arm may have left the path already, braking
            braked = followed or running
        if braked is not None:
            seen = self._brake(braked, name)
            if seen is not None:
                return seen
        # A stop that was taken has left this path: what is planned on it would jump.
        left = running is None or not running.exact or self._taken
        known = None if left else running
        return self._hold(name, pending, known, off_path=followed is None)

    def _await_known(self, running: Running) -> None:
        """Wait for the part of a motion that is known to be commanded: a stop before is joined.

        That is its first 0.4 s at most, in which it goes over from rest into a slow move.
        """
        deadline = time.monotonic() + MAX_JOIN_TIME
        while (left := running.known_from - running.elapsed(self._port.now)) > 0.0:
            if time.monotonic() > deadline or self._port.now < running.start:
                return  # another clock, or a slow one
            with self._changed:
                self._changed.wait(min(left / self._pace, 0.05))

    def _hold(self, name: str, pending: str, running: Running | None, off_path: bool) -> bool:
        """Hold, more gently each time; tell whether the arm was seen to stand."""
        deadline = time.monotonic() + self._limit
        for attempt in range(MAX_HOLDS):
            label = self._port.label(f"{name}/hold")
            asked = self._port.now
            first = running if attempt == 0 else None  # afterwards the command is unknown
            end = asked + ns_from_seconds(self._send_hold(label, attempt, first, off_path))
            last = attempt == MAX_HOLDS - 1
            if last:
                end = asked  # what refuses all of them stops by itself, or does not
            seen = self._stands_after(end, "" if last else label, deadline, pending)
            if seen is not None:
                return seen
        return False

    def _send_hold(
        self, label: str, attempt: int, running: Running | None, off_path: bool
    ) -> float:
        """Send a hold; return how long it takes [s]."""
        state, self.rests_at = self._port.state, None
        if running is None or state is None or self._too_old(state):
            return self._port.hold(label, attempt)
        now = self._port.now
        lead = self.leads.prepared * self._pace
        begin = running.elapsed(now + ns_from_seconds(lead))
        # An arm that left its path cannot stop where it is either: as far ahead as it needs.
        ahead = 0.5 * HOLD_TIME * state.qd if state.has_velocity else 0.0
        target = state.q + ahead if off_path else None
        limits, known_from = self._gate.limits, running.known_from
        hold = hold_on_path(running.trajectory, begin, limits, target, known_from, lead)
        self.rests_at = hold.trajectory.positions[-1]
        return self._port.hold(label, attempt, hold, _stamp(running, hold))

    def _brake(self, running: Running, name: str) -> bool | None:
        """Brake on the path; tell whether the arm was seen to stand, None if that failed."""
        for share in LEADS if running.exact else LEADS[:1]:
            with self._lock:
                sent, self._fired = self._fired, None
            if sent is None:
                sent = self._send_stop(running, share, self._port.label(f"{name}/stop"))
            if sent is None:
                continue
            seen = self._stands_after(sent.end, sent.label, time.monotonic() + self._limit)
            given_up = self._port.status(sent.label, "rejected", "aborted") is not None
            if seen is not None:
                self.rests_at = None if given_up else sent.q
                return seen
            if self._port.status(sent.label, "rejected") is None:
                self._taken = True
                return None
        return None

    def _send_stop(self, running: Running, share: float, label: str) -> _Sent | None:
        """Send a stop.

        None: the gate refused it, or planning took so long that it would come too late.
        """
        if share == LEADS[0]:
            with self._lock:
                sent = self._send_prepared(running, label)
            if sent is not None:
                return sent
        lead = (share * self.leads.planned if running.exact else BLEND) * self._pace
        begin = self._port.now + ns_from_seconds(lead)
        asked = time.monotonic()
        try:
            if not running.exact:
                checked = safe_stop(self._gate, running.trajectory, running.elapsed(begin))
                stamp = begin
            else:
                path, known = running.trajectory, running.known_from
                stop = carried_stop(self._gate, path, running.elapsed(begin), known, lead)
                checked, stamp = stop.checked, running.start + ns_from_seconds(stop.first)
        except MotionRefused:
            return None
        self.leads.planning.add(time.monotonic() - asked)
        left = begin - self._port.now
        late = left < ns_from_seconds(self.leads.floor * self._pace)
        if late and running.exact and share != LEADS[-1]:
            return None
        self._port.send(MotionCommand(checked, label, stamp))
        path = checked.trajectory
        return _Sent(label, stamp + ns_from_seconds(path.duration), path.positions[-1])

    def _send_prepared(self, running: Running, label: str) -> _Sent | None:
        """Send the first stop that is ready and begins late enough, if there is one."""
        if self._prepared is None or not running.exact:
            return None
        if running.elapsed(self._port.now) < running.known_from:
            return None
        earliest = self._port.now + ns_from_seconds(self.leads.prepared * self._pace)
        found = self._prepared.take(running.elapsed(earliest))
        if found is None:
            return None
        stamp = running.start + ns_from_seconds(found.stop.first)
        checked = found.stop.checked
        path = checked.trajectory
        self._port.send(MotionCommand(checked, label, stamp, message=found.message))
        return _Sent(label, stamp + ns_from_seconds(path.duration), path.positions[-1])

    @property
    def _pace(self) -> float:
        return max(self._port.pace, 1.0)

    def _followed(self, running: Running, tolerance: float) -> Running | None:
        """Return the motion if the arm is where it wants it; an old state does not count."""
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
        reported_by = time.monotonic() + REFUSAL_TIMEOUT
        while time.monotonic() < deadline:
            with self._changed:
                self._changed.wait(0.05)
            state = self._port.state
            refused = self._port.status(label, "rejected", "aborted") is not None
            if state is None or self._too_old(state):
                if refused:
                    return None
                if time.monotonic() > reported_by:
                    return False  # nothing is left that could report that it stands
                continue
            over = not pending or self._port.status(pending, *ENDS) is not None
            # What was refused has no end to wait for; an arm may have braked by itself.
            if (state.ns < ns and not refused) or not state.stands or not over:
                since = None
            elif since is None:
                since = state.ns
            elif state.ns - since >= (STANDING_REFUSED if refused else STANDING):
                return True
            late = state.ns > ns + ns_from_seconds(MAX_STOP_DELAY)
            if label and (refused or late) and not state.stands:
                return None
        return False

    def _too_old(self, state: ArmState) -> bool:
        return state.age > self._joint_state_timeout


def _stamp(running: Running, new: CarriedTrajectory) -> int:
    """Return when what replaces a motion begins on the arm's clock [ns]."""
    return running.start + ns_from_seconds(new.first)
