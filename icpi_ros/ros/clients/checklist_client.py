"""Reader of the checklist of a graph from /diagnostics."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from diagnostic_msgs.msg import DiagnosticArray
from rclpy.node import Node

from icpi_ros.core.errors import UsageError
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.diagnostics import reported
from icpi_ros.ros.bringup.checklist import REPORTERS, Checklist, Reports
from icpi_ros.ros.clients.client_node import ClientNode


def reports_of(node: Node) -> Reports:
    """Return what the nodes in the namespace of ``node`` report, from now on."""
    namespace = node.get_namespace()
    reports = Reports(namespace)
    names = {name: f"{namespace.rstrip('/')}/{name}" for name in REPORTERS}

    def take(msg: DiagnosticArray) -> None:
        now = time.monotonic()
        for name, full_name in names.items():
            reports.take(name, *reported(msg, full_name), now)

    node.create_subscription(DiagnosticArray, "/diagnostics", take, qos.EVENT)
    return reports


class ChecklistClient(ClientNode):
    """Client of `icpi status` in a namespace; a context manager."""

    def __init__(self, namespace: str = "") -> None:
        super().__init__("icpi_status", namespace)
        self._reports = reports_of(self.node)
        self.spin()

    def checklist(self, limit: float, until_ready: float = 0.0) -> Checklist:
        """Return the checklist once every node has reported, or as it is after ``limit`` [s].

        Args:
            limit: longest time to wait for reports [s].
            until_ready: longest time to wait until a run can begin [s].

        Raises:
            UsageError: no node of a graph reports in this namespace.
        """
        begin = time.monotonic()
        self._wait(begin + max(limit, until_ready), lambda: self._reports.any)
        if not self._reports.any:
            raise UsageError(self._absent(max(limit, until_ready)))
        self._wait(begin + limit, lambda: self._reports.complete)
        self._wait(begin + until_ready, lambda: self._now().ready)
        return self._now()

    def _now(self) -> Checklist:
        return self._reports.checklist(time.monotonic())

    def _wait(self, deadline: float, done: Callable[[], bool]) -> None:
        while not done() and time.monotonic() < deadline:
            with self.changed:
                self.changed.wait(0.05)

    def _absent(self, limit: float) -> str:
        return (
            f"no graph reports in namespace {self.node.get_namespace()} and ROS domain "
            f"{os.environ.get('ROS_DOMAIN_ID', '0')} within {limit:g} s: start one (icpi up), or "
            "give --namespace or set ROS_DOMAIN_ID"
        )
