"""One status on /diagnostics at 1 Hz (REP-107), so that standard tools see every node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from rclpy.node import Node

from icpi_ros.nodes.qos import EVENT

OK, WARN, ERROR = DiagnosticStatus.OK, DiagnosticStatus.WARN, DiagnosticStatus.ERROR


@dataclass(frozen=True)
class Health:
    """How a node is: ``level`` (OK, WARN, ERROR), one line, and values with their units."""

    level: bytes
    message: str
    values: Mapping[str, object] = field(default_factory=dict)


class Diagnostics:
    """Publishes what ``health`` returns, at a steady rate (also when /clock stands)."""

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
        health = self._health()
        status = DiagnosticStatus(
            level=health.level,
            name=self._node.get_fully_qualified_name(),
            message=health.message,
            hardware_id="",
            values=[KeyValue(key=key, value=str(value)) for key, value in health.values.items()],
        )
        array = DiagnosticArray(status=[status])
        array.header.stamp = self._now()
        self._publisher.publish(array)
