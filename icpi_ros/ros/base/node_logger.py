"""The logger of a node: one line per message, whatever a client's text holds."""

from __future__ import annotations

from rclpy.impl.rcutils_logger import RcutilsLogger

from icpi_ros.core.text import printable


class NodeLogger(RcutilsLogger):
    """rclpy's logger with every message printable: no forged line, no escape sequence.

    A method for each severity, because rclpy allows one line of code only one of them.  Its filters
    (once, throttled) are not offered: they too go by the line of code.
    """

    def debug(self, message: object) -> None:
        """Log a message with severity DEBUG."""
        super().debug(printable(str(message)))

    def info(self, message: object) -> None:
        """Log a message with severity INFO."""
        super().info(printable(str(message)))

    def warning(self, message: object) -> None:
        """Log a message with severity WARN."""
        super().warning(printable(str(message)))

    def error(self, message: object) -> None:
        """Log a message with severity ERROR."""
        super().error(printable(str(message)))

    def fatal(self, message: object) -> None:
        """Log a message with severity FATAL."""
        super().fatal(printable(str(message)))
