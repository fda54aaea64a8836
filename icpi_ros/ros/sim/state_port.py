"""Port for the states of a simulation: its clock, the arm's joints and the object's pose.

To wake a process that waits for a message takes ten times the processor time of one that follows
another.  Whoever listens to a free-running simulation is ticks behind it anyway, so that it sends
the states of some ticks at once: every one of them, in order.  Of joint states it sends the newest
alone where there is one subscriber, whichever: in a graph the executor, which supervises by it.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from geometry_msgs.msg import PoseStamped
from rclpy.node import Node
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import JointState

from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.topics import JOINT_STATES, OBJECT_POSE
from icpi_ros.ros.sim.pacer import Sparing
from icpi_ros.ros.sim.simulated_arm import Snapshot

CLOCK_PERIOD = 0.01
"""Real time per /clock message [s], on average at least: every node pays for each of them."""
BURST = qos.SENSOR.depth
"""Most ticks that are sent at once: what a subscriber keeps that is not looking."""
BURST_TIME = 0.002
"""Longest real time that a state waits for others [s]."""


class StatePort:
    """Publishers of the states; used by the simulation thread.

    Args:
        node: that publishes.
        joints: of the arm.
        pose: True if the object's pose is published.
    """

    def __init__(self, node: Node, joints: Sequence[str], pose: bool) -> None:
        self._joints = tuple(joints)
        self._clock_out = node.create_publisher(Clock, "/clock", qos.CLOCK)
        self._joints_out = node.create_publisher(JointState, JOINT_STATES, qos.SENSOR)
        # Not even created otherwise: a subscriber sees that there is no ground truth.
        self._pose_out = (
            node.create_publisher(PoseStamped, OBJECT_POSE, qos.SENSOR) if pose else None
        )
        self._clock_pace = Sparing(CLOCK_PERIOD)
        self._kept: list[tuple[Snapshot, bool]] = []
        self._since = 0.0

    def take(self, state: Snapshot, silent: bool, wait: bool) -> None:
        """Take the state after a tick.

        Args:
            state: the state.
            silent: leave out its joints.
            wait: it may wait for others, :data:`BURST_TIME` at most.
        """
        now = time.monotonic()
        if not self._kept:
            self._since = now
        self._kept.append((state, silent))
        if not wait or len(self._kept) >= BURST or now - self._since >= BURST_TIME:
            self.send()

    def send(self) -> None:
        """Send all that waits."""
        kept, self._kept = self._kept, []
        if not kept:
            return
        if self._clock_pace.passes(time.monotonic()):
            self._clock_out.publish(Clock(clock=convert.time_msg(kept[-1][0].ns)))
        if self._pose_out is not None:
            for state, _ in kept:
                pose = convert.pose_msg(state.ns, state.position, state.quaternion)
                self._pose_out.publish(pose)
        shown = [state for state, silent in kept if not silent]
        alone = len(shown) > 1 and self._joints_out.get_subscription_count() == 1
        for state in shown[-1:] if alone else shown:
            joints = convert.joint_state_msg(state.ns, self._joints, state.q, state.qd)
            self._joints_out.publish(joints)
