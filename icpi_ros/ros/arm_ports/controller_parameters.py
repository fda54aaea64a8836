"""The parameters of a simulated controller, served by a node of its name as a real one does.

They say how the simulated controller behaves; they change nothing, as most of a real controller's
do not while it runs.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Mapping, Sequence
from typing import Any

from rcl_interfaces.msg import ParameterDescriptor
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node

from icpi_ros.ros.arm_ports import controller_facts as facts

DEFAULTS: Mapping[str, Any] = {
    facts.COMMAND_INTERFACES: ["position"],
    facts.STATE_INTERFACES: ["position", "velocity"],
    facts.FROM_DESIRED: False,
    facts.METHOD: "splines",
    facts.NONZERO_END: False,
    facts.SCALING: 1.0,
    facts.RATE: 0,
    facts.GOAL_TIME: 0.0,
    facts.STOPPED: 0.01,
}
"""Those of ros2_control's controller; what mujoco_arm has a parameter for is told as it is."""
EACH: Mapping[str, float] = {"trajectory": 0.0, "goal": 0.0}
CLOSE_LIMIT = 1.0
"""Longest time until the node is gone [s]."""


class ControllerParameters:
    """A node with the controller's parameters, in a thread of its own: the arm waits for nothing.

    Args:
        node: that simulates the arm.
        controller: name of the controller, relative to that node's namespace unless absolute.
        joints: of the arm.
        values: the simulating node's parameters by name.
    """

    def __init__(
        self, node: Node, controller: str, joints: Sequence[str], values: Mapping[str, Any]
    ) -> None:
        """Serve them."""
        namespace, _, name = node.resolve_topic_name(controller).rpartition("/")
        # Without the process's own arguments: `ros2 launch` renames all its nodes.
        self._node = Node(
            name,
            namespace=namespace or "/",
            context=node.context,
            use_global_arguments=False,
            enable_rosout=False,
        )
        own = {key: values.get(key, default) for key, default in DEFAULTS.items()}
        each = {facts.constraint(j, kind): value for j in joints for kind, value in EACH.items()}
        fixed = ParameterDescriptor(read_only=True)
        for key, value in {facts.JOINTS: list(joints), **own, **each}.items():
            self._node.declare_parameter(key, value, fixed)
        self._executor = SingleThreadedExecutor(context=node.context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def _spin(self) -> None:
        with contextlib.suppress(ExternalShutdownException):
            self._executor.spin()

    def close(self) -> None:
        """End the node."""
        self._executor.shutdown(CLOSE_LIMIT)
        self._thread.join(CLOSE_LIMIT)
        self._node.destroy_node()
