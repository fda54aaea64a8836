"""Software stop: latched, with a separate reset.  Not a certified emergency stop."""

from __future__ import annotations

from collections.abc import Callable

from rclpy.node import Node
from std_msgs.msg import Bool
from std_srvs.srv import Trigger

from icpi_ros.ros.base import qos
from icpi_ros.ros.base.topics import RESET_STOP, STILL, STOP, STOPPED
from icpi_ros.ros.bringup.checklist import in_namespace


class StopLatch:
    """Services ``stop`` and ``reset_stop`` and topic ``stopped``; used in one thread.

    Args:
        node: of the services.
        on_stop: called at every stop request; it brakes what moves, and returns a line about that
            for a person, empty if there is nothing to know.
        busy: returns whether a trial is still being ended; the latch stays on meanwhile.
    """

    def __init__(self, node: Node, on_stop: Callable[[], str], busy: Callable[[], bool]) -> None:
        """Serve; not stopped at first."""
        self._node, self._on_stop, self._busy = node, on_stop, busy
        self.engaged = False
        """True: nothing may move."""
        command = in_namespace("icpi stop --reset", node.get_namespace())
        self.release = f"{command} (service reset_stop)"
        """Command that lets motions pass again: those of this arm, not of another one."""
        self._out = node.create_publisher(Bool, STOPPED, qos.LATCHED_ALIVE)
        node.create_service(Trigger, STOP, self._on_stop_request)
        node.create_service(Trigger, RESET_STOP, self._on_reset)
        self._out.publish(Bool(data=False))

    def _on_stop_request(self, _: Trigger.Request, reply: Trigger.Response) -> Trigger.Response:
        self.engaged = True
        try:
            more = self._on_stop()  # first of all
        finally:
            self._out.publish(Bool(data=True))
        self._node.get_logger().warning(f"software stop: nothing moves until {self.release}")
        reply.success, reply.message = True, f"stopped; {self.release} before the next motion"
        if more:
            reply.message += f"; {more}"
        return reply

    def _on_reset(self, _: Trigger.Request, reply: Trigger.Response) -> Trigger.Response:
        if self._busy():
            reply.message = STILL
            return reply
        reply.success = True
        reply.message = "motions are allowed again" if self.engaged else "was not stopped"
        self.engaged = False
        self._out.publish(Bool(data=False))
        return reply
