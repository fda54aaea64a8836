"""The simulated arm's controller as others see it: ros2_control's topic, action and rejections.

Documented extra, which no real controller has: the topic ``status`` tells what became of each
motion, its exact start and the reason of a rejection (parameter ``controller_status``).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from trajectory_msgs.msg import JointTrajectory as JointTrajectoryMsg

from icpi_ros.core.errors import IcpiError, Kind, MotionRefused, Refusal
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm
from icpi_ros.ros.arm_ports import action_port
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


Answer = Callable[[str], None]
"""Called once with the reason why an order was rejected, empty if it was taken."""


class SimulatedController:
    """Callbacks hand orders to ``take``; the simulation reports events.

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

        def answered(reason: str) -> None:
            if reason:
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
        """Tell what became of a motion, at ``steady`` [s] of this machine's steady clock."""
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
