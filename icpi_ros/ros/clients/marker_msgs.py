"""Markers of arm, object, goal and proposal for RViz and Foxglove."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from geometry_msgs.msg import Point, Vector3
from std_msgs.msg import ColorRGBA
from visualization_msgs.msg import Marker

from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm
from icpi_ros.ros.base.convert import header, point

ARM = ColorRGBA(r=0.55, g=0.60, b=0.65, a=0.9)
OBJECT = ColorRGBA(r=0.85, g=0.20, b=0.10, a=1.0)
GOAL = ColorRGBA(r=0.10, g=0.65, b=0.20, a=0.9)
PROPOSAL = ColorRGBA(r=0.15, g=0.35, b=0.90, a=1.0)
SLOW = ColorRGBA(r=0.95, g=0.60, b=0.10, a=0.7)
PATH_WIDTH = 0.004
"""Width of lines [m]."""


def arm_markers(ns: int, arm: Arm, q: Array) -> list[Marker]:
    """Return a cylinder with two round ends for every piece of an arm at ``q`` ``(n,)`` [rad]."""
    frames = arm.links(q)
    found = []
    for number, piece in enumerate(arm.collision_geometry):
        frame = frames[piece.link]
        start, end = (frame[:3, :3] @ p + frame[:3, 3] for p in (piece.start, piece.end))
        found.append(_cylinder(ns, number, start, end, piece.radius))
        ends = _marker(ns, "arm_joints", number, Marker.SPHERE_LIST, ARM)
        ends.scale = _cube(2.0 * piece.radius)
        ends.points = [point(start), point(end)]
        found.append(ends)
    return found


def object_marker(ns: int, position: Array) -> Marker:
    """Return a ball at the object ``(3,)`` [m]."""
    marker = _marker(ns, "object", 0, Marker.SPHERE, OBJECT)
    marker.pose.position, marker.scale = point(position), _cube(0.04)
    return marker


def path_marker(ns: int, positions: Array) -> Marker:
    """Return the object's path ``(T, 3)`` [m]; where a sample is missing (NaN) there is no line."""
    marker = _marker(ns, "object_path", 0, Marker.LINE_LIST, OBJECT)
    marker.scale.x = PATH_WIDTH
    there = np.asarray(np.isfinite(positions).all(axis=1))
    for i in np.flatnonzero(there[:-1] & there[1:]):
        marker.points += [point(positions[i]), point(positions[i + 1])]
    return marker


def goal_marker(ns: int, position: Array) -> Marker:
    """Return a flat disc at the goal ``(3,)`` [m]."""
    marker = _marker(ns, "goal", 0, Marker.CYLINDER, GOAL)
    marker.pose.position, marker.scale = point(position), Vector3(x=0.06, y=0.06, z=0.002)
    return marker


def proposal_markers(ns: int, tool_path: Sequence[Point], text: str) -> list[Marker]:
    """Return the tool's path of the next stroke with a line of text at its end."""
    line = _marker(ns, "proposal", 0, Marker.LINE_STRIP, PROPOSAL)
    line.scale.x, line.points = PATH_WIDTH, list(tool_path)
    label = _marker(ns, "proposal_text", 0, Marker.TEXT_VIEW_FACING, PROPOSAL)
    label.scale.z, label.text = 0.04, text
    if tool_path:
        last = tool_path[-1]
        label.pose.position = Point(x=last.x, y=last.y, z=last.z + 0.1)
    return [line, label]


def slow_marker(ns: int, tool_paths: Sequence[Sequence[Point]]) -> Marker:
    """Return the tool's paths of all slow moves as one set of lines; without any it is removed."""
    marker = _marker(ns, "slow_moves", 0, Marker.LINE_LIST, SLOW)
    marker.scale.x = 0.5 * PATH_WIDTH
    for path in tool_paths:
        for ends in pairwise(path):
            marker.points += ends
    marker.action = Marker.ADD if marker.points else Marker.DELETE
    return marker


def _cylinder(ns: int, number: int, start: Array, end: Array, radius: float) -> Marker:
    marker = _marker(ns, "arm", number, Marker.CYLINDER, ARM)
    along = end - start
    length = float(np.linalg.norm(along))
    marker.pose.position = point(0.5 * (start + end))
    marker.scale = Vector3(x=2.0 * radius, y=2.0 * radius, z=max(length, 1e-6))
    w, x, y, z = _turn_z_to(along / length) if length > 0.0 else (1.0, 0.0, 0.0, 0.0)
    turn = marker.pose.orientation
    turn.w, turn.x, turn.y, turn.z = w, x, y, z
    return marker


def _turn_z_to(direction: Array) -> tuple[float, float, float, float]:
    """Return the quaternion (w, x, y, z) that turns the z axis to a unit vector ``(3,)``."""
    x, y, z = (float(value) for value in direction)
    if z < -1.0 + 1e-9:
        return 0.0, 1.0, 0.0, 0.0
    w = np.sqrt(0.5 * (1.0 + z))
    return float(w), float(-y / (2.0 * w)), float(x / (2.0 * w)), 0.0


def _marker(ns: int, kind: str, number: int, shape: int, colour: ColorRGBA) -> Marker:
    marker = Marker(header=header(ns), ns=kind, id=number, type=shape, action=Marker.ADD)
    marker.color, marker.pose.orientation.w = colour, 1.0
    return marker


def _cube(side: float) -> Vector3:
    return Vector3(x=side, y=side, z=side)
