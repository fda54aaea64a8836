"""Node ``viewer``: markers of arm, object path, goal, proposal and slow moves; moves nothing.

Out: ``markers``, in frame ``base``, and the tool on ``/tf``; config/icpi.rviz and
config/foxglove.json show them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from geometry_msgs.msg import Point, Vector3
from rclpy.clock import Clock
from rclpy.clock_type import ClockType
from sensor_msgs.msg import JointState
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker, MarkerArray

from icpi_msgs.msg import ObjectState, ObjectTrajectory, OperatorRequest, Trial
from icpi_msgs.msg import Proposal as ProposalMsg
from icpi_ros.core.errors import IcpiError, InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.motion.release import release_at
from icpi_ros.motion.summary import tool_path
from icpi_ros.motion.trajectory import Motion
from icpi_ros.robots import find_arm
from icpi_ros.robots.base import Arm, prefixed
from icpi_ros.robots.description.urdf_text import TOOL, tool_frame
from icpi_ros.ros.base import convert, diagnostics, qos
from icpi_ros.ros.base.frames import FramePublisher
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
from icpi_ros.tasks import TASKS

PERIOD = 0.1
"""Steady time between two sets of markers [s]."""
PATH_STEP = 0.02
"""Time between two points of the tool's path [s]."""


class Viewer(IcpiNode):
    """Node that publishes markers."""

    def __init__(self) -> None:
        super().__init__("viewer")
        values = declare(self, "viewer")
        self._task = TASKS.get(values["task"])
        self._arm = prefixed(find_arm(values["arm"] or self._task.arm), values["joint_prefix"])
        self._ns = 0
        self._markers: dict[str, list[Marker]] = {}
        self._q: Array | None = None
        self._position: Array | None = None
        self._frames = FramePublisher(self) if values["publish_frames"] else None
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
            self._markers["arm"] = arm_markers(self._ns, self._arm, self._q)
            if self._frames is not None:
                self._frames.move(self._ns, {TOOL: tool_frame(self._arm, self._q)})
        if self._position is not None:
            self._markers["object"] = [object_marker(self._ns, self._position)]
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
        self._markers["path"] = [path_marker(self._ns, positions)]

    def _on_proposal(self, msg: ProposalMsg) -> None:
        try:
            theta = self._task.space.validate(msg.theta)
            motion = self._task.motion(theta, self._arm)
        except IcpiError as exc:
            self.get_logger().warning(f"proposal of trial {msg.trial} cannot be shown: {exc}")
            return
        path = [convert.point(p) for p in tool_path(motion.trajectory, self._arm, PATH_STEP)]
        text = f"trial {msg.trial}: {self._task.space.describe(theta)} ({msg.provenance})"
        self._markers["proposal"] = proposal_markers(self._ns, path, text)
        self._markers["slow"] = [slow_marker(self._ns, [])]  # of another theta
        self._markers["release"] = [release_marker(self._ns, self._release_point(motion))]

    def _release_point(self, motion: Motion) -> Point | None:
        """Return the tool point at which the gripper lets go [m], ``base``; None = it does not."""
        if motion.release is None:
            return None
        return convert.point(release_at(motion.trajectory, motion.release, self._arm).point)

    def _on_request(self, msg: OperatorRequest) -> None:
        if msg.kind == OperatorRequest.MOTION:
            shown = proposal_markers(self._ns, list(msg.tool_path), msg.question)
            self._markers["proposal"] = shown
            slow = [list(motion.tool_path) for motion in msg.motions[:-1]]
            self._markers["slow"] = [slow_marker(self._ns, slow)]
            point = msg.release_point if msg.has_release else None
            self._markers["release"] = [release_marker(self._ns, point)]

    def _on_trial(self, msg: Trial) -> None:
        self._show_goal(np.array(msg.goal))

    def _show_goal(self, goal: Array) -> None:
        fits = len(goal) == self._task.goal_space.dim
        if fits and (place := self._task.goal_point(goal)) is not None:
            self._markers["goal"] = [goal_marker(self._ns, place)]

    def _health(self) -> diagnostics.Health:
        missing = [name for name in ("arm", "object") if name not in self._markers]
        if missing:
            return diagnostics.Health(diagnostics.WARN, f"nothing seen of: {', '.join(missing)}")
        return diagnostics.Health(diagnostics.OK, "showing")


ARM = ColorRGBA(r=0.55, g=0.60, b=0.65, a=0.9)
OBJECT = ColorRGBA(r=0.85, g=0.20, b=0.10, a=1.0)
GOAL = ColorRGBA(r=0.10, g=0.65, b=0.20, a=0.9)
PROPOSAL = ColorRGBA(r=0.15, g=0.35, b=0.90, a=1.0)
SLOW = ColorRGBA(r=0.95, g=0.60, b=0.10, a=0.7)
RELEASE = ColorRGBA(r=0.90, g=0.15, b=0.75, a=1.0)
PATH_WIDTH = 0.004
"""Width of lines [m]."""


def arm_markers(ns: int, arm: Arm, q: Array) -> list[Marker]:
    """Return a cylinder with two round ends for every piece of an arm at ``q`` ``(n,)`` [rad]."""
    frames = arm.links(q)
    found = []
    for number, piece in enumerate(arm.collision_geometry):
        frame = frames[piece.link]
        start, end = (frame[:3, :3] @ p + frame[:3, 3] for p in (piece.start, piece.end))
        found.append(_cylinder(ns, number, start, end, piece.radius))
        ends = _marker(ns, "arm_joints", number, Marker.SPHERE_LIST, ARM)
        ends.scale = _cube(2.0 * piece.radius)
        ends.points = [convert.point(start), convert.point(end)]
        found.append(ends)
    return found


def object_marker(ns: int, position: Array) -> Marker:
    """Return a ball at the object ``(3,)`` [m]."""
    marker = _marker(ns, "object", 0, Marker.SPHERE, OBJECT)
    marker.pose.position, marker.scale = convert.point(position), _cube(0.04)
    return marker


def path_marker(ns: int, positions: Array) -> Marker:
    """Return the object's path ``(T, 3)`` [m]; where a sample is missing (NaN) there is no line."""
    marker = _marker(ns, "object_path", 0, Marker.LINE_LIST, OBJECT)
    marker.scale.x = PATH_WIDTH
    there = np.asarray(np.isfinite(positions).all(axis=1))
    for i in np.flatnonzero(there[:-1] & there[1:]):
        marker.points += [convert.point(positions[i]), convert.point(positions[i + 1])]
    return marker


def goal_marker(ns: int, position: Array) -> Marker:
    """Return a flat disc at the goal ``(3,)`` [m]."""
    marker = _marker(ns, "goal", 0, Marker.CYLINDER, GOAL)
    marker.pose.position, marker.scale = convert.point(position), Vector3(x=0.06, y=0.06, z=0.002)
    return marker


def proposal_markers(ns: int, tool_path: Sequence[Point], text: str) -> list[Marker]:
    """Return the tool's path of the next strike with a line of text at its end."""
    line = _marker(ns, "proposal", 0, Marker.LINE_STRIP, PROPOSAL)
    line.scale.x, line.points = PATH_WIDTH, list(tool_path)
    label = _marker(ns, "proposal_text", 0, Marker.TEXT_VIEW_FACING, PROPOSAL)
    label.scale.z, label.text = 0.04, text
    if tool_path:
        last = tool_path[-1]
        label.pose.position = Point(x=last.x, y=last.y, z=last.z + 0.1)
    return [line, label]


def slow_marker(ns: int, tool_paths: Sequence[Sequence[Point]]) -> Marker:
    """Return the tool's paths of all slow moves as one set of lines; without any it is removed."""
    marker = _marker(ns, "slow_moves", 0, Marker.LINE_LIST, SLOW)
    marker.scale.x = 0.5 * PATH_WIDTH
    for path in tool_paths:
        for ends in pairwise(path):
            marker.points += ends
    marker.action = Marker.ADD if marker.points else Marker.DELETE
    return marker


def release_marker(ns: int, point: Point | None) -> Marker:
    """Return a ball at the tool point at which the gripper lets go; without one it is removed."""
    marker = _marker(ns, "release", 0, Marker.SPHERE, RELEASE)
    marker.scale = _cube(0.03)
    if point is None:
        marker.action = Marker.DELETE
    else:
        marker.pose.position = point
    return marker


def _cylinder(ns: int, number: int, start: Array, end: Array, radius: float) -> Marker:
    marker = _marker(ns, "arm", number, Marker.CYLINDER, ARM)
    along = end - start
    length = float(np.linalg.norm(along))
    marker.pose.position = convert.point(0.5 * (start + end))
    marker.scale = Vector3(x=2.0 * radius, y=2.0 * radius, z=max(length, 1e-6))
    w, x, y, z = _turn_z_to(along / length) if length > 0.0 else (1.0, 0.0, 0.0, 0.0)
    turn = marker.pose.orientation
    turn.w, turn.x, turn.y, turn.z = w, x, y, z
    return marker


def _turn_z_to(direction: Array) -> tuple[float, float, float, float]:
    """Return the quaternion (w, x, y, z) that turns the z axis to a unit vector ``(3,)``."""
    x, y, z = (float(value) for value in direction)
    if z < -1.0 + 1e-9:
        return 0.0, 1.0, 0.0, 0.0
    w = np.sqrt(0.5 * (1.0 + z))
    return float(w), float(-y / (2.0 * w)), float(x / (2.0 * w)), 0.0


def _marker(ns: int, kind: str, number: int, shape: int, colour: ColorRGBA) -> Marker:
    marker = Marker(header=convert.header(ns), ns=kind, id=number, type=shape, action=Marker.ADD)
    marker.color, marker.pose.orientation.w = colour, 1.0
    return marker


def _cube(side: float) -> Vector3:
    return Vector3(x=side, y=side, z=side)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the node."""
    return run(Viewer, argv)


if __name__ == "__main__":
    sys.exit(main())
