"""The logger of a node: one line per message, whatever a client's text holds."""

from __future__ import annotations

import sys

from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.impl.logging_severity import LoggingSeverity
from rclpy.impl.rcutils_logger import RcutilsLogger

from icpi_ros.core.text import printable


class NodeLogger(RcutilsLogger):
    """rclpy's logger with every message printable: no forged line, no escape sequence.

    rclpy's looks for the caller in the source of all modules: 30 ms of processor time at the first
    line, a quarter of one at each.  Its filters (once, throttled) are not offered.
    """

    def log(self, message: object, severity: LoggingSeverity) -> bool:
        """Log a message; called by the methods named like severities."""
        if not self.is_enabled_for(severity):
            return False
        caller = sys._getframe(2)
        rclpy_implementation.rclpy_logging_rcutils_log(
            severity,
            self.name,
            printable(str(message)),
            caller.f_code.co_name,
            caller.f_code.co_filename,
            caller.f_lineno,
        )
        return True
