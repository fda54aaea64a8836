"""Press the executor's software stop, or release it; not a certified emergency stop."""

from __future__ import annotations

import argparse

from icpi_ros.cli.commands import need_ros
from icpi_ros.core.text import printable


def run(args: argparse.Namespace) -> int:
    """Stop or release; 0 = the executor did."""
    need_ros()
    from icpi_ros.ros.clients.stop_client import SoftwareStopClient  # needs ROS

    with SoftwareStopClient(args.namespace) as client:
        client.spin()
        print(printable(client.reset_stop() if args.reset else client.stop()))
    return 0
