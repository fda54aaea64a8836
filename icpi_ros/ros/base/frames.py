"""Frames on ``/tf`` and ``/tf_static`` (REP-105, tf2), and the arm as ``robot_description``.

Every frame's parent is ``base``.  ``tf2_msgs`` is part of every ROS 2 desktop; where it is not
installed no frame is published, and everything else works.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import Quaternion, Transform, TransformStamped, Vector3
from rclpy.node import Node
from std_msgs.msg import String

from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm
from icpi_ros.robots.description.urdf_text import TOOL, link_names, tool_frame, urdf_text
from icpi_ros.ros.base import convert, qos

FRAME_PERIOD = 0.1
"""Steady time between two sets of frames [s]."""
TF, TF_STATIC, DESCRIPTION = "/tf", "/tf_static", "robot_description"


def tf_message() -> Any | None:
    """Return the class ``tf2_msgs/msg/TFMessage``; None where it is not installed."""
    try:
        from tf2_msgs.msg import TFMessage
    except ImportError:
        return None
    return TFMessage


class FramePublisher:
    """Publisher of frames in ``base``; without ``tf2_msgs`` it publishes nothing."""

    def __init__(self, node: Node) -> None:
        """Find the type of the messages; topics are opened when they are needed."""
        self._node, self._kind = node, tf_message()
        self._moving: Any = None
        self._told = -1  # ns
        self._fixed: Any = None
        self._counted: dict[str, int] = {}

    @property
    def works(self) -> bool:
        """True if frames are published."""
        return self._kind is not None

    def fix(self, ns: int, child: str, frame: Array) -> None:
        """Publish a frame ``(4, 4)`` [m] that does not move, for late subscribers, too."""
        if self._kind is None:
            return
        if self._fixed is None:
            self._fixed = self._node.create_publisher(self._kind, TF_STATIC, qos.LATCHED)
        self._fixed.publish(self._kind(transforms=[_stamped(ns, child, frame)]))
        self._warn_of_others(self._fixed.topic_name)

    def move(self, ns: int, frames: dict[str, Array]) -> None:
        """Publish frames ``(4, 4)`` [m] by name, as they are at ``ns``; once for each time.

        Listeners of tf2 warn of every transform whose time they have had.
        """
        if self._kind is None or ns == self._told:
            return
        self._told = ns
        if self._moving is None:
            self._moving = self._node.create_publisher(self._kind, TF, qos.EVENT)
        found = [_stamped(ns, child, frame) for child, frame in frames.items()]
        self._moving.publish(self._kind(transforms=found))
        self._warn_of_others(self._moving.topic_name)

    def _warn_of_others(self, topic: str) -> None:
        """Warn of another graph's node of this kind: its frames have the same names."""
        count = self._node.count_publishers(topic)
        if count == self._counted.get(topic, 1):
            return
        self._counted[topic] = count
        name, here = self._node.get_name(), self._node.get_namespace()
        found = self._node.get_publishers_info_by_topic(topic)
        others = {one.node_namespace for one in found if one.node_name == name} - {here}
        for other in sorted(others):
            self._node.get_logger().warning(
                f"{other.rstrip('/')}/{name} publishes frames of the same names on {topic}: who "
                "listens mixes two graphs; start one with publish_frames:=false, or in another "
                "ROS domain"
            )


class ArmDescription:
    """The arm as its source describes it: ``robot_description``, and its links on ``/tf``.

    With both, RViz and Foxglove draw the arm; a `robot_state_publisher` is not needed.
    """

    def __init__(self, node: Node, arm: Arm) -> None:
        """Publish the description."""
        self._frames, self._arm = FramePublisher(node), arm
        self._out = node.create_publisher(String, DESCRIPTION, qos.LATCHED)
        self._out.publish(String(data=urdf_text(arm)))

    @property
    def moves(self) -> bool:
        """True if links are published."""
        return self._frames.works

    def move(self, ns: int, q: Array) -> None:
        """Publish where the links and the tool are at ``q`` ``(n,)`` [rad]."""
        links = dict(zip(link_names(self._arm)[1:], self._arm.links(q)[1:], strict=True))
        self._frames.move(ns, {**links, TOOL: tool_frame(self._arm, q)})


def _stamped(ns: int, child: str, frame: Array) -> TransformStamped:
    x, y, z = (float(v) for v in frame[:3, 3])
    turn = quaternion(frame[:3, :3])
    return TransformStamped(
        header=convert.header(ns),
        child_frame_id=child,
        transform=Transform(
            translation=Vector3(x=x, y=y, z=z),
            rotation=Quaternion(x=turn[0], y=turn[1], z=turn[2], w=turn[3]),
        ),
    )


def quaternion(rotation: Array) -> tuple[float, float, float, float]:
    """Return x, y, z, w of a rotation ``(3, 3)``; w is not negative."""
    r = rotation
    # The largest of the four is found first: the others are divided by it.
    squares = np.array([
        1.0 + r[0, 0] - r[1, 1] - r[2, 2],
        1.0 - r[0, 0] + r[1, 1] - r[2, 2],
        1.0 - r[0, 0] - r[1, 1] + r[2, 2],
        1.0 + r[0, 0] + r[1, 1] + r[2, 2],
    ])  # fmt: skip
    which = int(np.argmax(squares))
    rows = (
        (squares[0], r[0, 1] + r[1, 0], r[0, 2] + r[2, 0], r[2, 1] - r[1, 2]),
        (r[0, 1] + r[1, 0], squares[1], r[1, 2] + r[2, 1], r[0, 2] - r[2, 0]),
        (r[0, 2] + r[2, 0], r[1, 2] + r[2, 1], squares[2], r[1, 0] - r[0, 1]),
        (r[2, 1] - r[1, 2], r[0, 2] - r[2, 0], r[1, 0] - r[0, 1], squares[3]),
    )
    found = np.array(rows[which]) / (2.0 * np.sqrt(squares[which]))
    x, y, z, w = (float(v) for v in (found if found[3] >= 0.0 else -found))
    return x, y, z, w
