"""Messages of an arm: joint states, its clock, and the status of motions."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.node import Node
from sensor_msgs.msg import JointState

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.types import SECOND, Array
from icpi_ros.robots.base import Arm
from icpi_ros.ros.arm_ports.joint_history import (
    LEAP,
    MIN_RATE,
    SIMULATED_LEAP,
    SPAN,
    Continuity,
    Differentiator,
)
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.base.joint_reading import JointReading, UnusableState
from icpi_ros.ros.base.topics import JOINT_STATES, STATUS

AT_REST = 0.02
"""Joint speed below which an arm counts as standing [rad/s]."""
PACE_STATES = 25
"""Joint states over which the pace of the arm's clock is measured: bursts must not count."""
MAX_PACE = 200.0
"""Highest pace that is believed, arm's seconds per steady second: a simulation may run freely."""
REASON_TIMEOUT = 3.0
"""Steady time during which the reason why a joint state could not be used is still reported [s]."""
MAX_REASONS = 16
"""Different reasons that are logged; all are reported."""
NO_REASON = ("", float("-inf"))
REPEATED = 0.1
"""Steady time for which a stamp may come again before it counts as one that stands still [s]."""
OVERTAKEN = SECOND // 10
"""Time by which the stamp of a state may lie before that of one that came first [ns]: transports
change their order, and what the arm was is no news."""
COUNT_PERIOD = 0.2
"""Steady time between two counts of the publishers [s]."""


@dataclass(frozen=True)
class ArmState:
    """One joint state: stamp [ns], joints [rad], [rad/s], steady time of arrival [s].

    Velocities are NaN while they are not known.  ``still``: the arm stands, where they are
    estimated; None = the velocities decide.
    """

    ns: int
    q: Array
    qd: Array
    arrival: float
    still: bool | None = None

    @property
    def age(self) -> float:
        """Steady time since it arrived [s]."""
        return time.monotonic() - self.arrival

    @property
    def stands(self) -> bool:
        """True if no joint moves; False also where that is not known."""
        slow = bool(np.abs(self.qd).max() < AT_REST)
        return slow if self.still is None else slow and self.still

    @property
    def has_velocity(self) -> bool:
        """True if the joints' velocities are known."""
        return bool(np.isfinite(self.qd).all())


class ArmFeed:
    """Newest messages of one arm: callbacks write them, the worker thread reads.

    Args:
        node: whose executor listens.
        arm: whose joints count.
        changed: notified at every news.
        controller: name of the arm's controller.
    """

    def __init__(self, node: Node, arm: Arm, changed: threading.Condition, controller: str) -> None:
        self._node, self._arm, self._changed = node, arm, changed
        self.state: ArmState | None = None
        self.received = 0
        """Number of joint states that were taken so far."""
        self._recent: deque[ArmState] = deque(maxlen=PACE_STATES)
        self._count = itertools.count(1)
        self._statuses: deque[MotionStatus] = deque(maxlen=32)
        simulated = node.get_parameter("use_sim_time").value
        self._continuity = Continuity(arm, SIMULATED_LEAP if simulated else LEAP)
        self._differentiator, self._filled = Differentiator(), False
        self._reason = NO_REASON
        self._prefix = ""
        self._logged: set[str] = set()
        listen = node.create_subscription
        states = listen(JointState, JOINT_STATES, self._on_state, qos.SENSOR_LATEST)
        self._publishers = Publishers(node, states.topic_name)  # as remapped
        status = f"{controller}/{STATUS}"
        reports = node.create_subscription(DiagnosticStatus, status, self._on_status, qos.EVENT)
        self._status_topic = reports.topic_name  # as remapped: counting does not remap

    def label(self, name: str) -> str:
        """Return a label that no other motion has: a client may repeat its trial ids."""
        return f"{name}/{next(self._count)}"

    @property
    def pace(self) -> float:
        """Pace of the arm's clock, arm's seconds per steady second; 1 on a real arm."""
        recent = list(self._recent)
        if len(recent) < 2 or recent[-1].arrival <= recent[0].arrival:
            return 1.0
        passed = (recent[-1].ns - recent[0].ns) / SECOND
        return min(max(passed / (recent[-1].arrival - recent[0].arrival), 0.0), MAX_PACE)

    @property
    def now(self) -> int:
        """The arm's clock at this moment, from its last state and its pace [ns]; 0 = unknown."""
        state = self.state
        if state is None:
            return 0
        return state.ns + convert.ns_from_seconds(state.age * self.pace)

    @property
    def reports_status(self) -> bool:
        """True if the controller reports the status of motions (a real one does not)."""
        return self._node.count_publishers(self._status_topic) > 0

    def status(self, label: str, *states: str) -> MotionStatus | None:
        """Return the last report of one of ``states`` about motion ``label``, None so far."""
        found = [s for s in list(self._statuses) if s.motion == label and s.state in states]
        return found[-1] if found else None

    @property
    def doubt(self) -> str:
        """Reason why the arm's state cannot be believed, in one line; empty = it can."""
        foreign = self._prefix and (
            f"joint_states name this arm's joints with the prefix {self._prefix!r}: start with "
            f"joint_prefix:={self._prefix} if they are this arm's"
        )
        return self._publishers.doubt or self._continuity.doubt_at(time.monotonic()) or foreign

    @property
    def unusable(self) -> str:
        """Reason why arriving joint states cannot be used, in one line; empty = none arrives."""
        reason, at = self._reason
        return reason if time.monotonic() - at < REASON_TIMEOUT else ""

    def _on_state(self, msg: JointState) -> None:
        try:
            ns, reading = convert.joint_reading_from(msg, self._arm.joints)
        except UnusableState as exc:
            self._note(exc.refusal, exc.foreign)
            return
        self._prefix = reading.prefix
        if reading.prefix:  # another arm's, as far as is known
            return
        if self.state is not None and 0 < self.state.ns - ns < OVERTAKEN:
            return
        arrival = time.monotonic()
        believed = self._continuity.follows(ns, reading.q, arrival, self.pace)
        with self._changed:
            if self.state is not None and ns == self.state.ns:
                # No news, however often it comes: missing states are what the executor supervises.
                if self.state.age > REPEATED:
                    text = f"the stamps of joint_states stand still at {ns / SECOND:.3f} s"
                    self._note(Refusal(text, Kind.TIMES, "stamps"))
            elif believed:
                self._reason = NO_REASON
                self.state = self._state_of(ns, reading, arrival)
                self.received += 1
                self._recent.append(self.state)
            self._changed.notify_all()

    def _state_of(self, ns: int, reading: JointReading, arrival: float) -> ArmState:
        """Return a state with velocities from its message, or from the positions so far."""
        if reading.qd.any() and np.isfinite(reading.qd).all():
            self._differentiator, self._filled = Differentiator(), False
            return ArmState(ns, reading.q, reading.qd, arrival)
        moved = self._differentiator.moved(ns, reading.q)
        slope = self._differentiator.add(ns, reading.q)
        if not reading.qd.any():  # some drivers fill velocities that they do not know with zeros
            speed = moved if slope is None else float(np.abs(slope.qd).max())
            self._filled = self._filled or speed > AT_REST
            if not self._filled:
                return ArmState(ns, reading.q, reading.qd, arrival)
        what = "zeros for velocities although the arm moves" if self._filled else "no velocities"
        if slope is not None:
            self._log_once(what, f"joint_states carry {what}: they are taken from positions")
            still = bool(slope.extent.max() < AT_REST * SPAN)
            return ArmState(ns, reading.q, slope.qd, arrival, still)
        rate = self._differentiator.rate
        if 0.0 < rate < MIN_RATE:
            text = (
                f"joint_states carry {what} and come at {rate:.3g} Hz: at least "
                f"{MIN_RATE:g} Hz are needed to take them from positions"
            )
            limit = (MIN_RATE, np.inf)
            self._note(
                Refusal(text, Kind.OUT_OF_BOUNDS, f"rate with {what}", "", rate, limit, "Hz")
            )
        return ArmState(ns, reading.q, np.full_like(reading.q, np.nan), arrival)

    def _note(self, reason: Refusal, foreign: bool = False) -> None:
        """Keep why a state could not be used; other devices' states count least."""
        if foreign and self.unusable:
            return
        self._reason = (reason.text, time.monotonic())
        if not foreign:
            self._log_once(reason.brief, reason.text)  # with other figures it is the same

    def _log_once(self, what: str, text: str) -> None:
        if what not in self._logged and len(self._logged) < MAX_REASONS:
            self._logged.add(what)
            self._node.get_logger().warning(text)

    def _on_status(self, msg: DiagnosticStatus) -> None:
        try:
            status = convert.motion_status_from(msg)
        except (InvalidValue, ValueError) as exc:
            self._node.get_logger().warning(str(exc))
            return
        with self._changed:
            self._statuses.append(status)
            self._changed.notify_all()


class Publishers:
    """Publishers of a topic that only one node may publish; used by any thread.

    A second publisher of joint states (a forgotten ``joint_state_publisher``, ``ros2 bag play``)
    makes the arm seem to be where it is not; a motion planned from there, or a hold computed from
    it, would make it jump.

    Args:
        node: that looks.
        topic: full name, as remapped.
    """

    def __init__(self, node: Node, topic: str) -> None:
        self._node, self._topic = node, topic
        self._known = ("", -np.inf)

    @property
    def doubt(self) -> str:
        """Instruction to stop all publishers but one; empty = at most one publishes."""
        text, at = self._known
        now = time.monotonic()
        if now - at > COUNT_PERIOD:
            text = self._look()
            self._known = (text, now)
        return text

    def _look(self) -> str:
        if self._node.count_publishers(self._topic) < 2:
            return ""
        found = self._node.get_publishers_info_by_topic(self._topic)
        if len(found) < 2:  # one has just gone
            return ""
        names = sorted(f"{i.node_namespace.rstrip('/')}/{i.node_name}" for i in found)
        return (
            f"{self._topic} has {len(names)} publishers, {', '.join(names)}: nothing moves while "
            "there is more than one; stop or remap all but the arm's driver (one that was killed "
            "is listed for some 20 s more)"
        )
