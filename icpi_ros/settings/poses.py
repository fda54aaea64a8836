"""Settings of a tracker's poses; a part of the table."""

from __future__ import annotations

from icpi_ros.settings.nodes import ALL, LIVE, PERCEPTION
from icpi_ros.settings.setting import Setting

POSE_UNITS = {"m": 1.0, "cm": 0.01, "mm": 0.001}
"""Units of a tracker's positions, in metres."""
TRACKERS = ("tracked_transform", "tracked_covariance", "tracked_odometry", "tracked_point")
"""Names of the sources of trackers that send another message than a stamped pose."""
POSE_SETTINGS = ("pose_unit", "pose_transform", "pose_stamps", "repeated_poses")
"""Names of the settings of a tracker's poses."""
POSE_MEASURED, POSE_RECEIVED = "measured", "received"
"""Times of a pose: its stamp, or its arrival."""
POSE_LOST, POSE_ALLOWED = "lost", "allowed"
"""Poses that repeat bit for bit: no measurement, or one like any other."""


POSE_ARGUMENTS = (
    Setting(
        "pose_unit",
        "m",
        "unit of a tracker's positions",
        choices=tuple(POSE_UNITS),
        nodes=(PERCEPTION,),
        graphs=ALL,
    ),
    Setting(
        "pose_transform",
        [],
        "pose of a tracker's frame in base: x,y,z [m] and quaternion "
        "x,y,z,w or roll,pitch,yaw [rad]; empty = as frame ids and /tf tell",
        nodes=(PERCEPTION,),
        graphs=ALL,
    ),
    Setting(
        "pose_stamps",
        POSE_MEASURED,
        "time of a tracker's pose: its stamp, on this computer's clock, or its arrival",
        choices=(POSE_MEASURED, POSE_RECEIVED),
        nodes=(PERCEPTION,),
        graphs=ALL,
    ),
    Setting(
        "repeated_poses",
        POSE_LOST,
        "poses that repeat bit for bit where none can: the object "
        "is lost, or, as in a simulation, it stands",
        choices=(POSE_LOST, POSE_ALLOWED),
        nodes=(PERCEPTION,),
        graphs=LIVE,
        relaxed=POSE_ALLOWED,
    ),
)
"""Launch arguments, and parameters of node ``perception``."""
