"""Node ``perception``: position and rest of the object, and its path in a trial window.

Out: ``object_state``, up to 500 Hz; ``object_trajectory`` when a trial window closes, cut to it,
with its quality; one without samples and with the reason when nothing was seen in a window.
The source of positions is parameter ``source``, see :mod:`icpi_ros.perception.sources`.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from rclpy.clock import Clock
from rclpy.clock_type import ClockType

from icpi_msgs.msg import ObjectState, ObjectTrajectory, TrialWindow
from icpi_ros.core.types import SECOND
from icpi_ros.perception.sources import MAX_WINDOW, Measurement
from icpi_ros.ros.base import convert, diagnostics, qos
from icpi_ros.ros.base.parameters import declare
from icpi_ros.ros.base.spin import IcpiNode, run
from icpi_ros.ros.base.topics import OBJECT_STATE, OBJECT_TRAJECTORY, TRIAL_WINDOW
from icpi_ros.ros.bringup.checklist import Line, State
from icpi_ros.ros.perception.sources import PER_SECOND, open_feed
from icpi_ros.tasks import TASKS

STATE_PERIOD = 0.002
"""Shortest real time between two object states [s]; a change of rest is sent at once."""
SENSOR_REMEDY = "start it (`ros2 topic hz` shows what comes); docs/perception.md has what is needed"
"""Remedy for a sensor of which nothing arrives."""
WAIT_FOR_LAST = 2.0
"""Longest steady time to wait for the last sample of a closed window [s]."""


@dataclass(frozen=True)
class ClosedWindow:
    """A window whose last sample may still be on its way; ``deadline`` in steady time [s]."""

    trial_id: str
    start: int
    stop: int
    deadline: float


class Perception(IcpiNode):
    """Node that tracks the object; single-threaded, callbacks only."""

    def __init__(self) -> None:
        super().__init__("perception")
        values = declare(self, "perception")
        self._silent_after: float = values["silent_after"]
        self._at_rest = False
        self._arrival = -np.inf
        self._sent = -np.inf
        self._sensed = False
        self._closed: list[ClosedWindow] = []
        self._state_out = self.create_publisher(ObjectState, OBJECT_STATE, qos.SENSOR)
        self._path_out = self.create_publisher(ObjectTrajectory, OBJECT_TRAJECTORY, qos.EVENT)
        self.create_subscription(TrialWindow, TRIAL_WINDOW, self._on_window, qos.EVENT)
        task = TASKS.get(values["task"])
        self._feed = open_feed(self, task, values, self._on_measured)
        # Steady: a window must also end when the source, and with it simulated time, stands.
        self.create_timer(0.2, self._send_due, clock=Clock(clock_type=ClockType.STEADY_TIME))
        diagnostics.Diagnostics(self, self._health, period=values["diagnostics_period"])

    def _on_measured(self, seen: Measurement) -> None:
        self._arrival = time.monotonic()
        changed, self._at_rest = seen.at_rest != self._at_rest, seen.at_rest
        if changed or self._arrival - self._sent >= STATE_PERIOD:
            self._sent = self._arrival
            self._state_out.publish(convert.object_state_msg(seen.ns, seen.position, seen.at_rest))
        if self._closed:
            self._send_due()

    def _on_window(self, msg: TrialWindow) -> None:
        if msg.state != TrialWindow.CLOSED:
            return
        start, stop = convert.to_ns(msg.start), convert.to_ns(msg.stop)
        length = (stop - start) / SECOND
        if not 0.0 <= length <= MAX_WINDOW:
            self.get_logger().error(
                f"trial {msg.trial_id}: its window lasts {length:g} s, must be 0 to "
                f"{MAX_WINDOW:g} s: did a clock jump?"
            )
            return
        deadline = time.monotonic() + WAIT_FOR_LAST
        self._closed.append(ClosedWindow(msg.trial_id, start, stop, deadline))
        self._send_due()

    def _send_due(self) -> None:
        newest, now = self._feed.source.newest, time.monotonic()
        for window in list(self._closed):
            if (newest is not None and newest >= window.stop) or now > window.deadline:
                self._closed.remove(window)
                self._send(window)

    def _send(self, window: ClosedWindow) -> None:
        found = self._feed.source.path(window.start, window.stop)
        if found.path is None or found.quality is None:
            self.get_logger().error(
                f"trial {window.trial_id}: the object was not seen between "
                f"{window.start / SECOND:.2f} s and {window.stop / SECOND:.2f} s: {found.reason}"
            )
            self._path_out.publish(
                convert.unseen_trajectory_msg(window.trial_id, window.start, found.reason)
            )
            return
        if not found.quality.good:
            self.get_logger().warning(f"trial {window.trial_id}: {found.quality.reason}")
        self._path_out.publish(
            convert.object_trajectory_msg(
                window.trial_id, window.start, found.path, found.quality, self._at_rest
            )
        )

    def _health(self) -> diagnostics.Health:
        trouble, values = self._feed.trouble()
        level, message = self._state(trouble)
        return diagnostics.Health(level, message, values, (self._sensor(trouble, values),))

    def _state(self, trouble: str | None) -> tuple[bytes, str]:
        silent = time.monotonic() - self._arrival
        if silent > self._silent_after:
            since = f"for {silent:.1f} s" if np.isfinite(silent) else "since start"
            why = f": {trouble}" if trouble else ""
            return diagnostics.ERROR, f"no measurement {since}{why}"
        if trouble:
            return diagnostics.WARN, trouble
        return diagnostics.OK, "at rest" if self._at_rest else "moving"

    def _sensor(self, trouble: str | None, values: Mapping[str, str]) -> Line:
        """Return what arrives from the sensor, as a line of the checklist."""
        rates = {k.removesuffix(PER_SECOND): v for k, v in values.items() if k.endswith(PER_SECOND)}
        text = ", ".join(f"{name} at {rate} Hz" for name, rate in rates.items())
        if all(float(rate) > 0.0 for rate in rates.values()):
            self._sensed = True
            return Line("sensor", State.WARN if trouble else State.OK, text, trouble or "")
        state = State.FAILED if self._sensed else State.WAITING
        return Line("sensor", state, f"{text}: {trouble}" if trouble else text, SENSOR_REMEDY)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run(Perception, argv)


if __name__ == "__main__":
    sys.exit(main())
