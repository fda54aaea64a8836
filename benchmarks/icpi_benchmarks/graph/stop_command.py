"""Cost of `icpi stop` as a command: a process that has to find the executor first."""

from __future__ import annotations

import resource
import subprocess
import sys
import time
from collections.abc import Callable

from rclpy.node import Node
from std_msgs.msg import Bool

from icpi_benchmarks.stopping.latency import Press
from icpi_ros.core.errors import ExecutionFailed
from icpi_ros.ros.base import qos
from icpi_ros.ros.base.topics import STOPPED

COMMAND = (
    sys.executable, "-c", "import sys; from icpi_ros.cli.main import main; sys.exit(main())", "stop"
)  # fmt: skip
LIMIT = 60.0
"""Longest time for a command [s]."""


class StopCommand:
    """Presses the software stop by the command, and sees when the executor has taken it.

    Args:
        node: that listens; it is spun by another thread.
        wait: waits until a function returns True, for what is named.
    """

    def __init__(self, node: Node, wait: Callable[[Callable[[], bool], float, str], None]) -> None:
        self._wait, self._latched = wait, 0.0
        node.create_subscription(Bool, STOPPED, self._on_stopped, qos.LATCHED)

    def press(self) -> Press:
        """Press it once; the arm may stand.

        Raises:
            ExecutionFailed: the command fails.
        """
        before, begin = _processor_time(), time.monotonic()
        done = subprocess.run(COMMAND, capture_output=True, text=True, timeout=LIMIT, check=False)
        end = time.monotonic()
        if done.returncode:
            raise ExecutionFailed(f"icpi stop failed: {done.stderr.strip()}")
        self._wait(lambda: self._latched > begin, LIMIT, "the stop that icpi stop pressed")
        return Press(_processor_time() - before, self._latched - begin, end - begin)

    def _on_stopped(self, msg: Bool) -> None:
        if msg.data:
            self._latched = time.monotonic()


def _processor_time() -> float:
    """Return the processor time of the children of this process that have ended [s]."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
