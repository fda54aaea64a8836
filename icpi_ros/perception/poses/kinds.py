"""Sources of trackers that send another message than a stamped pose."""

from __future__ import annotations

from icpi_ros.perception.sources import PoseSource


class TransformSource(PoseSource):
    """Source of stamped transforms, as Vicon bridges send them beside /tf."""

    topic = "object_transform"
    message_type = "geometry_msgs/msg/TransformStamped"


class CovarianceSource(PoseSource):
    """Source of poses with covariance; one that is negative or large is a lost object."""

    topic = "object_pose_with_covariance"
    message_type = "geometry_msgs/msg/PoseWithCovarianceStamped"


class OdometrySource(PoseSource):
    """Source of odometry, as motion capture for vehicles sends it."""

    topic = "object_odometry"
    message_type = "nav_msgs/msg/Odometry"


class PointSource(PoseSource):
    """Source of points: markers without orientation."""

    topic = "object_position"
    message_type = "geometry_msgs/msg/PointStamped"
