"""The status of a node on /diagnostics at 1 Hz (REP-107), so that standard tools see every node.

Beside it stand its lines of the checklist, each as a status of its own: ``/lab/executor: stop``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from icpi_ros.ros.base.qos import EVENT
from icpi_ros.ros.bringup.checklist import Line, State

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR
LEVELS: Mapping[State, bytes] = {
    State.OK: OK,
    State.WARN: WARN,
    State.WAITING: OK,
    State.FAILED: ERROR,
}
"""Levels of the states; waiting is no fault: tools would call a standing graph a broken one."""
SEPARATOR = ": "
"""Between the name of a node and that of a line."""
REMEDY, STATE = "remedy", "state"


@dataclass(frozen=True)
class Health:
    """State of a node: ``level`` (OK, WARN, ERROR) and one line.

    Attributes:
        values: with their units.
        checks: the node's lines of the checklist.
    """

    level: bytes
    message: str
    values: Mapping[str, object] = field(default_factory=dict)
    checks: tuple[Line, ...] = ()


class Diagnostics:
    """Publisher of what ``health`` returns, at a steady rate (also when /clock stands)."""

    def __init__(
        self,
        node: Node,
        health: Callable[[], Health],
        now: Callable[[], Time] | None = None,
        period: float = 1.0,
    ) -> None:
        """Start the timer.

        Args:
            node: that is reported on.
            health: how it is.
            now: gives the stamps where the node's own clock does not.
            period: time between two reports [s].
        """
        self._node = node
        self._now = now or (lambda: node.get_clock().now().to_msg())
        self._health = health
        # Absolute by REP-107: aggregators listen there; the status name carries the namespace.
        self._publisher = node.create_publisher(DiagnosticArray, "/diagnostics", EVENT)
        node.create_timer(period, self.publish, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def publish(self) -> None:
        """Publish the status now."""
        health, name = self._health(), self._node.get_fully_qualified_name()
        own = _status(name, health.level, health.message, health.values)
        array = DiagnosticArray(status=[own, *(_check(name, line) for line in health.checks)])
        array.header.stamp = self._now()
        self._publisher.publish(array)


def reported(msg: DiagnosticArray, node: str) -> tuple[list[Line], dict[str, str]]:
    """Return the lines of the checklist that a message has of a node, and the node's values."""
    own = (status for status in msg.status if status.name == node)
    values = {item.key: item.value for status in own for item in status.values}
    return list(_lines(msg, f"{node}{SEPARATOR}")), values


def _lines(msg: DiagnosticArray, prefix: str) -> Iterator[Line]:
    for status in msg.status:
        if status.name.startswith(prefix):
            values = {item.key: item.value for item in status.values}
            state = next((s for s in State if s.value == values.get(STATE)), State.FAILED)
            name = status.name.removeprefix(prefix)
            yield Line(name, state, status.message, values.get(REMEDY, ""))


def _check(node: str, line: Line) -> DiagnosticStatus:
    values = {STATE: line.state.value} | ({REMEDY: line.remedy} if line.remedy else {})
    return _status(f"{node}{SEPARATOR}{line.name}", LEVELS[line.state], line.detail, values)


def _status(
    name: str, level: bytes, message: str, values: Mapping[str, object]
) -> DiagnosticStatus:
    return DiagnosticStatus(
        level=level,
        name=name,
        message=message,
        hardware_id="",
        values=[KeyValue(key=key, value=str(value)) for key, value in values.items()],
    )


class Rate:
    """Rate of a counter that only grows."""

    def __init__(self) -> None:
        self._count, self._at = 0, time.monotonic()

    def take(self, count: int) -> float:
        """Return the rate since the last call [Hz]; ``count``: all so far."""
        now = time.monotonic()
        rate = (count - self._count) / max(now - self._at, 1e-3)
        self._count, self._at = count, now
        return rate
