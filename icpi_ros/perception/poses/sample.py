"""Sample of a tracker, out of the messages that trackers send."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import SECOND, Array
from icpi_ros.perception.poses.losses import worst_variance


@dataclass(frozen=True)
class PoseSample:
    """A tracked position.

    Attributes:
        ns: stamp of the measurement [ns].
        position: ``(3,)`` [m] in ``frame``, or in the unit that was set.
        frame: its frame id; None = ``base``, whatever the message says.
        orientation: ``(4,)`` quaternion x, y, z, w; None = the message has none.
        variance: see :func:`.poses.losses.tracking_loss`.
        received: time of arrival on the clock of the trial windows [ns]; None = not known.
        frames: messages of /tf since the last sample, each with whether it is of /tf_static.
    """

    ns: int
    position: Array
    frame: str | None = None
    orientation: Array | None = None
    variance: float | None = None
    received: int | None = None
    frames: tuple[tuple[Any, bool], ...] = ()


def stamp_ns(msg: Any) -> int:
    """Return the stamp in a message's header [ns]."""
    return int(msg.header.stamp.sec) * SECOND + int(msg.header.stamp.nanosec)


def read_pose(msg: Any) -> PoseSample:
    """Return the sample in a stamped pose, transform, odometry or point.

    Live messages and those of bags have the same fields.

    Raises:
        InvalidValue: it is none of these.
    """
    variance, turn = None, None
    if hasattr(msg, "transform"):  # TransformStamped
        place, turn = msg.transform.translation, msg.transform.rotation
    elif hasattr(msg, "point"):  # PointStamped
        place = msg.point
    elif hasattr(msg, "pose"):
        pose = msg.pose
        if hasattr(pose, "covariance"):  # PoseWithCovarianceStamped, Odometry
            variance, pose = worst_variance(np.asarray(pose.covariance)), pose.pose
        place, turn = pose.position, pose.orientation
    else:
        raise InvalidValue(f"a message of type {type(msg).__name__} holds no position")
    return PoseSample(
        stamp_ns(msg),
        np.array([place.x, place.y, place.z]),
        str(msg.header.frame_id),
        None if turn is None else np.array([turn.x, turn.y, turn.z, turn.w]),
        variance,
    )
