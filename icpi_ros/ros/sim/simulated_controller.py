"""The simulated arm's controller as others see it: ros2_control's topic, action and rejections.

Documented extra, which no real controller has: the topic ``status`` has the status of each
motion, its exact start and the reason of a rejection (parameter ``controller_status``).
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMsg

from icpi_ros.core.errors import IcpiError, Kind, MotionRefused, Refusal
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.ros.arm_ports import action_port
from icpi_ros.ros.arm_ports import controller_facts as facts
from icpi_ros.ros.base import convert, qos
from icpi_ros.ros.base.convert import MotionStatus
from icpi_ros.ros.base.spin import IcpiNode
from icpi_ros.ros.base.topics import FOLLOW, STATUS, TRAJECTORY
from icpi_ros.ros.sim.simulated_action import SimulatedAction
from icpi_ros.ros.sim.simulated_arm import Snapshot
from icpi_ros.sim.controller_orders import (
    Event,
    MotionState,
    MotionTolerances,
    Order,
    empty_trajectory,
)
from icpi_ros.sim.trajectory_controller import ControllerOptions


def options_of(values: dict[str, Any]) -> ControllerOptions:
    """Return the controller that the parameters ask for."""
    return ControllerOptions(
        interpolate_from_desired_state=values["interpolate_from_desired_state"]
    )


Answer = Callable[[str | None], None]
"""Called once with the reason why an order was rejected, None if it was taken."""


class SimulatedController:
    """Topic, action and status of the simulated controller: orders in, events out.

    Args:
        node: whose executor serves.
        arm: whose joints are meant.
        take: takes an order and answers it later; raises what is wrong with it at once.
        hold: gives a motion up, by label.
        values: parameters of ``mujoco_arm``.
    """

    def __init__(
        self,
        node: IcpiNode,
        arm: Arm,
        take: Callable[[Order, Answer], None],
        hold: Callable[[str], None],
        values: dict[str, Any],
    ) -> None:
        """Open topics, and the action where ``control_msgs`` is installed."""
        self._node, self._arm, self._take = node, arm, take
        name = values["controller_name"]
        self._status = (
            node.create_publisher(DiagnosticStatus, f"{name}/{STATUS}", qos.EVENT)
            if values["controller_status"]
            else None
        )
        node.create_subscription(
            JointTrajectoryMsg, f"{name}/{TRAJECTORY}", self._on_trajectory, qos.COMMAND
        )
        self._action = (
            SimulatedAction(node, f"{name}/{FOLLOW}", arm.joints, self.order, hold)
            if action_port.installed()
            else None
        )

    def order(
        self, msg: JointTrajectoryMsg, watch: MotionTolerances | None, answer: Answer
    ) -> None:
        """Take a trajectory message, or answer at once what is wrong with it.

        Args:
            msg: the trajectory.
            watch: the tolerances of a goal; None = it came on the topic, those of the last goal
                hold on.
            answer: called once.
        """
        label = msg.header.frame_id

        def answered(reason: str | None) -> None:
            if reason is not None:
                self._node.get_logger().error(f"motion {label!r} rejected: {reason}")
                self.report(Event(label, MotionState.REJECTED, 0, reason), 0.0)
            answer(reason)

        try:
            trajectory = self._trajectory(msg)
            start = convert.to_ns(msg.header.stamp)
            self._take(
                Order(label, trajectory, start, watch or MotionTolerances(), watch is not None),
                answered,
            )
        except IcpiError as exc:
            answered(str(exc))

    def report(self, event: Event, steady: float) -> None:
        """Report the status of a motion, at ``steady`` [s] of this machine's steady clock."""
        if self._status is not None:
            status = MotionStatus(
                event.label, event.state, event.ns, event.reason, steady, event.taken_ns
            )
            self._status.publish(convert.motion_status_msg(status))
        if self._action is not None:
            self._action.report(event)

    def show(self, now: Snapshot) -> None:
        """Publish how motions go on, for the clients of the action."""
        if self._action is not None:
            self._action.show(now)

    def _trajectory(self, msg: JointTrajectoryMsg) -> JointTrajectory:
        if not msg.points:
            raise empty_trajectory()
        if any(len(point.effort) for point in msg.points):
            text = "efforts are not controlled: leave them empty"
            raise MotionRefused(Refusal(text, Kind.FORM, "effort"))
        return convert.trajectory_from(msg, self._arm.joints)

    def _on_trajectory(self, msg: JointTrajectoryMsg) -> None:
        self.order(msg, None, lambda reason: None)


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
"""Those of ros2_control's controller; what mujoco_arm has a parameter for is reported as it is."""
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
