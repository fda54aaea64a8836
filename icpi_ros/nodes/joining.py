"""How a controller joins a new trajectory: from the state it commands at that moment.

As ros2_control's joint_trajectory_controller does it: points whose time has passed are left
out, and from the present state to the first point that is left goes one quintic.
"""

from __future__ import annotations

import numpy as np

from icpi_ros.errors import MotionRefused
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.types import Array

NEAREST = 1e-4
"""Points nearer in time than this are left out [s]: rounding must not make a jerk."""


def join(entry: tuple[Array, Array, Array], new: JointTrajectory, lead: float) -> JointTrajectory:
    """Return the trajectory that begins in state ``entry`` now and goes over into ``new``.

    Args:
        entry: commanded positions [rad], velocities [rad/s], accelerations [rad/s^2], ``(n,)``.
        new: the trajectory that comes.
        lead: time from now to its start [s]; negative: it has begun already.

    Raises:
        MotionRefused: all of it lies in the past.
    """
    times = new.times + lead
    left = times > NEAREST
    if not left.any():
        raise MotionRefused("the trajectory ended in the past")
    parts = zip(entry, (new.positions, new.velocities, new.accelerations), strict=True)
    points = [np.concatenate([first[np.newaxis], rows[left]]) for first, rows in parts]
    return JointTrajectory(new.joints, np.append(0.0, times[left]), *points)
