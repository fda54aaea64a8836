"""Tolerances and deadlines of the executor; no ROS."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Settings:
    """Tolerances and deadlines; all have safe defaults, none can be switched off.

    Attributes:
        speed_scale: share of the arm's limits for slow moves, 0 to 1.
        goal_tolerance: joint distance at which a move has arrived [rad].
        tracking_tolerance: largest joint distance from the motion under way [rad].
        start: longest steady time until arm, controller and perception are there [s].
        silence: longest steady time without a joint state [s].
        blindness: longest steady time without an object state [s].
        reply: longest steady time for the controller or the scene to answer [s].
        stop_limit: longest steady time until a stopped arm stands [s].
    """

    speed_scale: float = 0.5
    goal_tolerance: float = 0.01
    tracking_tolerance: float = 0.1
    start: float = 10.0
    silence: float = 0.5
    blindness: float = 1.0
    reply: float = 2.0
    stop_limit: float = 2.0
