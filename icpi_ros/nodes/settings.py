"""Tolerances and deadlines of the executor; no ROS."""

from __future__ import annotations

from dataclasses import dataclass

from icpi_ros.settings.table import find


@dataclass(frozen=True)
class Settings:
    """Tolerances and deadlines; all have safe defaults, none can be switched off.

    Fields are named as the parameters that they are, see :mod:`icpi_ros.settings.table`.

    Attributes:
        speed_scale: share of the arm's limits for slow moves, 0 to 1.
        goal_tolerance: joint distance at which a move has arrived [rad].
        tracking_tolerance: largest joint distance from the motion under way [rad].
        start_timeout: longest steady time until arm, controller and perception are there [s].
        joint_state_timeout: longest steady time without a joint state [s].
        object_state_timeout: longest steady time without an object state [s].
        reply_timeout: longest steady time for the controller or the scene to answer [s].
        stop_limit: longest steady time until a stopped arm stands [s]; no parameter.
    """

    speed_scale: float = find("speed_scale").usual
    goal_tolerance: float = find("goal_tolerance").default
    tracking_tolerance: float = find("tracking_tolerance").default
    start_timeout: float = find("start_timeout").default
    joint_state_timeout: float = find("joint_state_timeout").default
    object_state_timeout: float = find("object_state_timeout").default
    reply_timeout: float = find("reply_timeout").default
    stop_limit: float = 2.0
