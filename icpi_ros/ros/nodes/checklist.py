"""Node ``checklist``: prints what `icpi up` still waits for, and once that a run can begin."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from rclpy.clock import Clock
from rclpy.clock_type import ClockType

from icpi_ros.ros.base.spin import IcpiNode, run
from icpi_ros.ros.bringup.checklist import Announcer
from icpi_ros.ros.clients.checklist_client import reports_of

PERIOD = 0.25
"""Steady time between two looks [s]."""
REPORT_TIMEOUT = 15.0
"""Steady time after which a node that has not reported is named [s]."""


class ChecklistPrinter(IcpiNode):
    """Node that prints the changes of the checklist."""

    def __init__(self) -> None:
        super().__init__("checklist")
        self._reports, self._announcer = reports_of(self), Announcer()
        self._begun = time.monotonic()
        self.create_timer(PERIOD, self._look, clock=Clock(clock_type=ClockType.STEADY_TIME))

    def _look(self) -> None:
        now = time.monotonic()
        complete = self._reports.complete or now - self._begun > REPORT_TIMEOUT
        for line in self._announcer.news(self._reports.checklist(now), complete):
            print(line, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run(ChecklistPrinter, argv)


if __name__ == "__main__":
    sys.exit(main())
