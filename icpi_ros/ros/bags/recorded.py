"""Topics that a bag of a run holds."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus
from geometry_msgs.msg import PoseStamped
from rcl_interfaces.msg import Log
from rclpy.qos import QoSProfile
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CameraInfo, CompressedImage, Image, JointState
from std_msgs.msg import Bool
from trajectory_msgs.msg import JointTrajectory
from visualization_msgs.msg import MarkerArray

from icpi_msgs.msg import (
    ObjectState,
    ObjectTrajectory,
    OperatorRequest,
    Proposal,
    Trial,
    TrialWindow,
)
from icpi_ros.perception.sources import SOURCES, Source
from icpi_ros.ros.base import qos, topics
from icpi_ros.ros.perception.sources import FRAMES, IMAGE, message_class
from icpi_ros.settings.poses import TRACKERS
from icpi_ros.settings.table import CAMERA, POSES


@dataclass(frozen=True)
class Recorded:
    """A topic that is recorded.

    Attributes:
        name: relative, or absolute where all graphs share it.
        kind: class of its messages.
        profile: quality of service to listen with.
        text: all of it is text, which may hold a key.
        source: sensor source whose samples these are, which a replay plays into perception.
        instead: the topic that is recorded while only that is published; None = none.
    """

    name: str
    kind: Any
    profile: QoSProfile
    text: bool = False
    source: str | None = None
    instead: Recorded | None = None


def _profile(source: type[Source]) -> QoSProfile:
    return qos.IMAGE_EVERY if source.message_type == IMAGE else qos.SENSOR_EVERY


def _installed(name: str, message_type: str, profile: QoSProfile) -> tuple[Recorded, ...]:
    """Return a topic whose type may not be installed; empty = it is not."""
    try:
        return (Recorded(name, message_class(message_type), profile),)
    except ImportError:
        return ()


def _trackers() -> tuple[Recorded, ...]:
    """Return the topics of trackers' other messages; few have the type of odometry installed."""
    return tuple(
        replace(one, source=name)
        for name in TRACKERS
        for one in _installed(
            SOURCES.get(name).topic, SOURCES.get(name).message_type, qos.SENSOR_EVERY
        )
    )


COMPRESSED_IMAGE = Recorded(
    topics.CAMERA_COMPRESSED, CompressedImage, qos.IMAGE_EVERY, source=CAMERA
)
RECORDED = (
    Recorded(topics.OBJECT_POSE, PoseStamped, qos.SENSOR_EVERY, source=POSES),
    Recorded(topics.CAMERA_INFO, CameraInfo, qos.IMAGE_EVERY),
    Recorded(topics.CAMERA_IMAGE, Image, qos.IMAGE_EVERY, source=CAMERA, instead=COMPRESSED_IMAGE),
    Recorded(topics.JOINT_STATES, JointState, qos.SENSOR_EVERY),
    Recorded(topics.OBJECT_STATE, ObjectState, qos.SENSOR_EVERY),
    Recorded(topics.TRIAL_WINDOW, TrialWindow, qos.EVENT),
    Recorded(topics.OBJECT_TRAJECTORY, ObjectTrajectory, qos.EVENT),
    Recorded(topics.TRIALS, Trial, qos.RECORD, text=True),
    Recorded(topics.PROPOSALS, Proposal, qos.RECORD, text=True),
    Recorded(topics.OPERATOR_REQUEST, OperatorRequest, qos.LATCHED, text=True),
    Recorded(topics.MARKERS, MarkerArray, qos.LATCHED, text=True),
    Recorded(topics.STOPPED, Bool, qos.LATCHED),
    Recorded(topics.CONTROLLER_STATUS, DiagnosticStatus, qos.EVENT, text=True),
    Recorded("/clock", Clock, qos.SENSOR_EVERY),
    Recorded("/diagnostics", DiagnosticArray, qos.EVENT, text=True),
    Recorded("/rosout", Log, qos.ROSOUT, text=True),
    *_trackers(),
    *_installed("/tf", FRAMES, qos.SENSOR_EVERY),
    *_installed("/tf_static", FRAMES, qos.RECORD),
)
MOTIONS = Recorded(topics.CONTROLLER_TRAJECTORY, JointTrajectory, qos.COMMAND)


def recorded() -> tuple[Recorded, ...]:
    """Return the topics that a bag holds: :data:`RECORDED`, and those of all other sources."""
    known, names = {one.source for one in RECORDED}, {one.name for one in RECORDED}
    others = {
        SOURCES.get(name): name for name in SOURCES if name not in known and name not in TRACKERS
    }
    return RECORDED + tuple(
        Recorded(source.topic, message_class(source.message_type), _profile(source), source=name)
        for source, name in others.items()
        if source.topic not in names
    )


def kind_name(kind: Any) -> str:
    """Return the name of a message class, such as ``std_msgs/msg/Bool``."""
    package = kind.__module__.partition(".")[0]
    return f"{package}/msg/{kind.__name__}"
