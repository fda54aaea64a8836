"""Letting go in a motion: the gripper is told at its moment, or not at all.

The moment comes from the gate, and is kept by the arm's clock.  What is not as it was shown keeps
the gripper closed: a stop, an arm that left its path or is silent, a command that would be late.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace

from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import SECOND
from icpi_ros.motion.safety import CheckedTrajectory
from icpi_ros.ros.arm_ports import arm_watch
from icpi_ros.ros.arm_ports.arm_port import ArmPort
from icpi_ros.ros.arm_ports.gripper_port import GripperOrder, GripperPort
from icpi_ros.ros.base.convert import ns_from_seconds
from icpi_ros.ros.following.answers import Wait
from icpi_ros.ros.following.prepared_stops import Leads
from icpi_ros.ros.following.rules import ExecutorSettings
from icpi_ros.ros.following.sending import Running
from icpi_ros.ros.following.trial_ended import Code, TrialEnded

MAX_LATE = 0.03
"""Latest that a command may go out after its moment, arm's time [s]: 3 cm at 1 m/s.  What would be
later is not sent at all."""
MISFIT = 0.01
"""Distance [rad] by which another start of the motion fits the arm better, where its start is only
estimated, that is not taken for noise."""
LOOK = 0.02
"""Longest time between two looks at the arm's clock [s]: its pace may change."""


class LettingGo:
    """Release of one motion; used by one worker thread, called off by any.

    Args:
        gripper: that lets go; None = there is none.
        checked: the motion as the gate let it pass, with its release.
        port: the way to the arm, which has the clock.
        leads: the same clock, more exactly.
        settings: tolerances, deadlines and the gripper's latency.
    """

    def __init__(
        self,
        gripper: GripperPort | None,
        checked: CheckedTrajectory,
        port: ArmPort,
        leads: Leads,
        settings: ExecutorSettings,
    ) -> None:
        """Prepare; nothing is sent.

        Raises:
            MotionRefused: the motion has no release, or there is no gripper.
        """
        if checked.release is None or gripper is None:
            text = "a motion lets go, but there is no gripper: gripper:=..."
            raise MotionRefused(Refusal(text, Kind.NO_GRIPPER, "release"))
        self._gripper, self._release, self._port = gripper, checked.release, port
        self._leads, self._settings = leads, settings
        self._latency = settings.gripper_latency
        self._label = ""
        self._under_way: Callable[[], Running | None] = lambda: None
        self._news = threading.Condition()
        self._order: GripperOrder | None = None
        self._due: int | None = None
        self._off, self._exact, self._trouble, self._late = False, False, "", 0.0
        self._thread: threading.Thread | None = None

    def prepare(self, label: str, under_way: Callable[[], Running | None], wait: Wait) -> None:
        """Tell a gripper that keeps the moment by itself, before its motion is sent.

        Args:
            label: of the motion.
            under_way: returns the motion under way, None = it was stopped; asked last of all, in
                another thread.
            wait: waits until something is so, at most so long [s].

        Raises:
            TrialEnded: it does not take the moment.
        """
        self._label, self._under_way = label, under_way
        if self._gripper.timed:
            order = self._order = self._gripper.bind(label, self._release - self._latency)
            reply = self._settings.reply_timeout
            try:
                wait(lambda: order.sent > 0.0 or order.done, reply, self._unanswered)
                self.check()
            except BaseException:
                self.call_off()  # nobody else knows of it yet
                raise

    def follow(self, running: Running) -> None:
        """Keep the moment of a motion that started, or whose start is known better by now."""
        if self._gripper.timed:
            return
        with self._news:
            self._exact = running.exact
            self._due = running.start + ns_from_seconds(self._release - self._latency)
            self._news.notify_all()
        if self._thread is None:
            self._thread = threading.Thread(target=self._wait_and_send, daemon=True)
            self._thread.start()

    def call_off(self) -> None:
        """Keep it closed, at once; what has just been told to open is told to close.

        Raises nothing: the stop of the arm must go on.
        """
        with self._news:
            if self._off:
                return
            self._off = True
            self._news.notify_all()
            if self._order is not None and not self._released:
                try:
                    self._gripper.take_back(self._order)
                except Exception as exc:
                    self._trouble = f"{self._gripper.name} could not be told to close: {exc}"

    def check(self) -> None:
        """See what became of it.

        Raises:
            TrialEnded: it did not let go as it should.
        """
        if self._order is not None:
            self._gripper.look(self._order)
        trouble = self._trouble or (self._order.trouble if self._order is not None else "")
        if trouble:
            raise TrialEnded(Code.ARM_FAILED, trouble)

    def end(self, rest: float, wait: Wait) -> str:
        """Wait until it has let go as far as is known; return one line for the record.

        Args:
            rest: in front of the motion itself [s].
            wait: as in :meth:`prepare`.

        Raises:
            TrialEnded: it did not let go as it should, or does not say so in time.
        """

        def over() -> bool:
            self.check()
            return self._order is not None and self._order.done and not self._sending

        wait(over, self._settings.reply_timeout, self._unanswered)
        self.check()
        at, latency = self._release - rest, f"gripper_latency {self._latency:.3f} s"
        if self._gripper.timed:
            return f"release at {at:.4f} s: by the clock of the simulation, {latency}"
        told = f"told to open {self._late * 1e3:+.1f} ms from {at - self._latency:.4f} s"
        rough = "" if self._exact else ", the motion's start is only estimated"
        return f"release at {at:.4f} s: the gripper was {told}, {latency}{rough}"

    def _doubt(self) -> str:
        """Return why the gripper must not open now; empty = nothing is against it."""
        running, state, settings = self._under_way(), self._port.state, self._settings
        if running is None or state is None:
            return "the motion was stopped"
        if not arm_watch.is_recent(self._port, settings.joint_state_timeout):
            return "the joint states are silent"
        if self._port.status(self._label, "aborted", "cancelled", "replaced") is not None:
            return "the controller ended the motion"
        aligned, distances = running.aligned(state)
        off, apart = float(distances.max()), abs(aligned.start - running.start) / SECOND
        if off > settings.tracking_tolerance:
            return f"the arm is {off:.4f} rad off its path"
        if apart > MAX_LATE:
            as_estimated = float(replace(running, exact=True).aligned(state)[1].max())
            if as_estimated > off + MISFIT:
                return f"the motion's start is only estimated, and {1e3 * apart:.0f} ms off"
        return self._port.doubt

    def _unanswered(self) -> TrialEnded:
        limit = self._settings.reply_timeout
        text = f"{self._gripper.name}: nothing was heard of the release within {limit:g} s"
        return TrialEnded(Code.ARM_FAILED, text)

    @property
    def _now(self) -> int:
        """The arm's time [ns]."""
        return self._leads.arm_time(self._port.now)

    @property
    def _left(self) -> int:
        """Arm's time until the command is due [ns]."""
        return (self._due or 0) - self._now

    @property
    def _released(self) -> bool:
        """True once the object is free: there is nothing to take back."""
        if self._gripper.timed:
            return self._order is not None and self._order.done
        return self._due is not None and self._now >= self._due + ns_from_seconds(self._latency)

    @property
    def _sending(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _wait_and_send(self) -> None:
        with self._news:
            while not self._off and (left := self._left) > 0:
                pace = max(self._port.pace, 0.01)
                self._news.wait(min(left / SECOND / pace, LOOK))
            if self._off:
                return
            asked, late = time.monotonic(), -self._left / SECOND
            if late > MAX_LATE:
                self._trouble = f"the gripper stayed closed: {_too_late('would be sent', late)}"
            elif doubt := self._doubt():
                self._trouble = f"the gripper stayed closed: {doubt}"
            else:
                try:
                    pace = max(self._port.pace, 0.01)
                    self._order = self._gripper.command(True, asked + (MAX_LATE - late) / pace)
                except Exception as exc:
                    self._trouble = f"{self._gripper.name} could not be told to open: {exc}"
        if self._order is not None:
            self._measure(self._order, asked, late)

    def _measure(self, order: GripperOrder, asked: float, late: float) -> None:
        """Note how late the command went out; it may be handed to another thread for that."""
        deadline = asked + 1.0
        while order.sent == 0.0 and not order.done and time.monotonic() < deadline:
            time.sleep(1e-3)
        if order.done and order.sent == 0.0:
            return  # nothing went out: its trouble says why
        self._late = late + ((order.sent or deadline) - asked) * self._port.pace
        if self._late > MAX_LATE:
            self._trouble = f"the gripper opened late: {_too_late('was sent', self._late)}"


def _too_late(what: str, late: float) -> str:
    return f"its command {what} {late * 1e3:.0f} ms late, allowed {MAX_LATE * 1e3:.0f} ms"
