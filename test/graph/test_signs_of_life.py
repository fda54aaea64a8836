"""The end of a process that was killed: seen by its signs of life, long before discovery."""

import subprocess
import sys

from icpi_ros.ros.clients.graph_watch import GraphWatch

from .conftest import HANG

LATCH = """
import rclpy
from icpi_ros.ros.base.stop_latch import StopLatch
rclpy.init()
node = rclpy.create_node("executor", namespace="latched")
latch = StopLatch(node, lambda: "", lambda: False)
rclpy.spin(node)
"""


class Watch(GraphWatch):
    """A watch that keeps how many executors it heard of were alive, and how many not."""

    def _on_alive(self, event):
        self.counts = (*getattr(self, "counts", ()), (event.alive_count, event.not_alive_count))
        super()._on_alive(event)


def test_a_killed_executor_is_missed_by_its_signs_of_life(domain):
    with Watch("latched", ()) as watch:

        def until(alive):
            with watch.changed:
                return watch.changed.wait_for(lambda: watch.state.executor is alive, HANG)

        assert watch.state.executor is None
        executor = subprocess.Popen([sys.executable, "-c", LATCH])
        try:
            assert until(True)
        finally:
            executor.kill()
            executor.wait()
        assert until(False)
    assert watch.counts[:2] == ((1, 0), (0, 1))  # discovery, some 20 s later, knows of none
