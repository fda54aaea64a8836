"""Topics that a bag of a run holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import Log
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory

from icpi_msgs.msg import (
    ObjectState,
    ObjectTrajectory,
    OperatorRequest,
    Proposal,
    Trial,
    TrialWindow,
)
from icpi_ros.ros.base import qos, topics


@dataclass(frozen=True)
class Recorded:
    """A topic that is recorded.

    Attributes:
        name: relative, or absolute where all graphs share it.
        kind: class of its messages.
        profile: quality of service to listen with.
        text: all of it is text, which may hold a key.
        sensor: samples of a sensor source, which a replay plays into perception.
    """

    name: str
    kind: Any
    profile: QoSProfile
    text: bool = False
    sensor: bool = False


RECORDED = (
    Recorded(topics.OBJECT_POSE, PoseStamped, qos.SENSOR_EVERY, sensor=True),
    Recorded(topics.CAMERA_INFO, CameraInfo, qos.IMAGE_EVERY),
    Recorded(topics.CAMERA_IMAGE, Image, qos.IMAGE_EVERY, sensor=True),
    Recorded(topics.JOINT_STATES, JointState, qos.SENSOR_EVERY),
    Recorded(topics.OBJECT_STATE, ObjectState, qos.SENSOR_EVERY),
    Recorded(topics.TRIAL_WINDOW, TrialWindow, qos.EVENT),
    Recorded(topics.OBJECT_TRAJECTORY, ObjectTrajectory, qos.EVENT),
    Recorded(topics.TRIALS, Trial, qos.RECORD, text=True),
    Recorded(topics.PROPOSALS, Proposal, qos.RECORD, text=True),
    Recorded(topics.OPERATOR_REQUEST, OperatorRequest, qos.LATCHED, text=True),
    Recorded(topics.STOPPED, Bool, qos.LATCHED),
    Recorded(topics.CONTROLLER_STATUS, DiagnosticStatus, qos.EVENT, text=True),
    Recorded("/clock", Clock, qos.SENSOR_EVERY),
    Recorded("/diagnostics", DiagnosticArray, qos.EVENT, text=True),
    Recorded("/rosout", Log, qos.ROSOUT, text=True),
)
MOTIONS = Recorded(topics.CONTROLLER_TRAJECTORY, JointTrajectory, qos.COMMAND)


def kind_name(kind: Any) -> str:
    """Return the name of a message class, such as ``std_msgs/msg/Bool``."""
    package = kind.__module__.partition(".")[0]
    return f"{package}/msg/{kind.__name__}"
