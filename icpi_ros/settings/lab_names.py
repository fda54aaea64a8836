"""Settings for the names that differ from lab to lab: topics of sensors, the arm's controller."""

from __future__ import annotations

from icpi_ros.settings.nodes import ARM, EXECUTOR, LIVE
from icpi_ros.settings.setting import Setting

LAB_NAMES = (
    Setting(
        "object_pose_topic", "", "topic of the messages of a tracker's source, for example "
        "/vrpn/puck/pose; empty = the source's own", graphs=LIVE,
    ),
    Setting(
        "image_topic", "camera/image_raw", "topic of the camera's images; raw, or compressed "
        "below it or by its name", graphs=LIVE,
    ),
    Setting(
        "camera_info_topic", "", "topic of the camera's camera_info; empty = camera_info beside "
        "image_topic", graphs=LIVE,
    ),
    Setting(
        "joint_states_topic", "joint_states", "topic of the arm's joint states", graphs=LIVE,
    ),
    Setting(
        "controller_name", "joint_trajectory_controller", "name of the arm's trajectory controller",
        nodes=(ARM, EXECUTOR), graphs=LIVE,
    ),
)  # fmt: skip
"""Launch arguments; nodes see the topics as remapped."""
