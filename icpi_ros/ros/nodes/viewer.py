"""Node ``viewer``: markers of arm, object path, goal, proposal and slow moves; moves nothing.

Out: ``markers``, in frame ``base``; config/icpi.rviz and config/foxglove.json show them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import numpy as np
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from sensor_msgs.msg import JointState
from visualization_msgs.msg import Marker, MarkerArray

from icpi_msgs.msg import ObjectState, ObjectTrajectory, OperatorRequest, Trial
from icpi_msgs.msg import Proposal as ProposalMsg
from icpi_ros.core.errors import IcpiError, InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.motion.summary import tool_path
from icpi_ros.robots import find_arm
from icpi_ros.robots.prefix import prefixed
from icpi_ros.ros.base import convert, diagnostics, qos
from icpi_ros.ros.base.parameters import declare
from icpi_ros.ros.base.spin import IcpiNode, run
from icpi_ros.ros.base.topics import (
    JOINT_STATES,
    MARKERS,
    OBJECT_STATE,
    OBJECT_TRAJECTORY,
    OPERATOR_REQUEST,
    PROPOSALS,
    TRIALS,
)
from icpi_ros.ros.clients import marker_msgs
from icpi_ros.tasks import TASKS

PERIOD = 0.1
"""Steady time between two sets of markers [s]."""
PATH_STEP = 0.02
"""Time between two points of the tool's path [s]."""


class Viewer(IcpiNode):
    """See the module."""

    def __init__(self) -> None:
        """Subscribe and publish."""
        super().__init__("viewer")
        values = declare(self, "viewer")
        self._task = TASKS.get(values["task"])
        self._arm = prefixed(find_arm(values["arm"] or self._task.arm), values["joint_prefix"])
        self._ns = 0
        self._markers: dict[str, list[Marker]] = {}
        self._q: Array | None = None
        self._position: Array | None = None
        self._show_goal(self._task.default_goal)
        self._out = self.create_publisher(MarkerArray, MARKERS, qos.LATCHED)
        self.create_subscription(JointState, JOINT_STATES, self._on_joints, qos.SENSOR_LATEST)
        self.create_subscription(ObjectState, OBJECT_STATE, self._on_object, qos.SENSOR_LATEST)
        self.create_subscription(ObjectTrajectory, OBJECT_TRAJECTORY, self._on_path, qos.EVENT)
        self.create_subscription(ProposalMsg, PROPOSALS, self._on_proposal, qos.RECORD)
        self.create_subscription(OperatorRequest, OPERATOR_REQUEST, self._on_request, qos.LATCHED)
        self.create_subscription(Trial, TRIALS, self._on_trial, qos.RECORD)
        self.create_timer(PERIOD, self._publish, clock=Clock(clock_type=ClockType.STEADY_TIME))
        diagnostics.Diagnostics(self, self._health)

    def _publish(self) -> None:
        # Only here: states come ten times as often as they are shown, and markers take long.
        if self._q is not None:
            self._markers["arm"] = marker_msgs.arm_markers(self._ns, self._arm, self._q)
        if self._position is not None:
            self._markers["object"] = [marker_msgs.object_marker(self._ns, self._position)]
        shown = [marker for group in self._markers.values() for marker in group]
        for marker in shown:
            marker.header.stamp = convert.time_msg(self._ns)
        self._out.publish(MarkerArray(markers=shown))

    def _on_joints(self, msg: JointState) -> None:
        try:
            self._ns, q, _ = convert.joint_state_from(msg, self._arm.joints)
        except InvalidValue:
            return  # another device's joints on the same topic
        if np.isfinite(q).all():
            self._q = q

    def _on_object(self, msg: ObjectState) -> None:
        position = convert.point_from(msg.position)
        if np.isfinite(position).all():
            self._position = position

    def _on_path(self, msg: ObjectTrajectory) -> None:
        positions = convert.points_from(msg.positions)
        self._markers["path"] = [marker_msgs.path_marker(self._ns, positions)]

    def _on_proposal(self, msg: ProposalMsg) -> None:
        try:
            theta = self._task.space.validate(msg.theta)
            stroke = self._task.motion(theta, self._arm).stroke
        except IcpiError as exc:
            self.get_logger().warning(f"proposal of trial {msg.trial} cannot be shown: {exc}")
            return
        path = [convert.point(p) for p in tool_path(stroke, self._arm, PATH_STEP)]
        text = f"trial {msg.trial}: {self._task.space.describe(theta)} ({msg.provenance})"
        self._markers["proposal"] = marker_msgs.proposal_markers(self._ns, path, text)
        self._markers["slow"] = [marker_msgs.slow_marker(self._ns, [])]  # of another theta

    def _on_request(self, msg: OperatorRequest) -> None:
        if msg.kind == OperatorRequest.MOTION:
            shown = marker_msgs.proposal_markers(self._ns, list(msg.tool_path), msg.question)
            self._markers["proposal"] = shown
            slow = [list(motion.tool_path) for motion in msg.motions[:-1]]
            self._markers["slow"] = [marker_msgs.slow_marker(self._ns, slow)]

    def _on_trial(self, msg: Trial) -> None:
        self._show_goal(np.array(msg.goal))

    def _show_goal(self, goal: Array) -> None:
        fits = len(goal) == self._task.goal_space.dim
        if fits and (place := self._task.goal_point(goal)) is not None:
            self._markers["goal"] = [marker_msgs.goal_marker(self._ns, place)]

    def _health(self) -> diagnostics.Health:
        missing = [name for name in ("arm", "object") if name not in self._markers]
        if missing:
            return diagnostics.Health(diagnostics.WARN, f"nothing seen of: {', '.join(missing)}")
        return diagnostics.Health(diagnostics.OK, "showing")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run(Viewer, argv)


if __name__ == "__main__":
    sys.exit(main())
