"""Check for ROS; imports nothing, so that `icpi stop` is quick."""

from __future__ import annotations

from importlib.util import find_spec

from icpi_ros.core.errors import IcpiError


def need_ros(instead: str = "") -> None:
    """Refuse to go on without ROS; ``instead`` says what else could be done.

    Raises:
        IcpiError: ROS is not installed.
    """
    if find_spec("rclpy") is None or find_spec("icpi_msgs") is None:
        raise IcpiError(f"ROS 2 is not installed here: run `make setup`{instead}")
