"""URDF of an arm, whatever it was described by: what `robot_description` holds.

Links are ``base``, ``link_1`` to ``link_n`` and ``tool``; each is drawn as the capsules of the
arm's collision geometry.  Format: "URDF XML specification" (wiki.ros.org/urdf/XML).
"""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm, Capsule
from icpi_ros.robots.kinematics import axis_frame

BASE, TOOL = "base", "tool"
"""Names of the first and the last frame."""
EFFORT = "0"
"""URDF asks for an effort limit; the arm's is not known here."""
_Element = ElementTree.Element


def link_names(arm: Arm) -> list[str]:
    """Return the names of the links in the order of :meth:`Arm.links`, without the tool."""
    return [BASE, *(f"link_{i}" for i in range(1, len(arm.joints) + 1))]


def urdf_text(arm: Arm) -> str:
    """Return an arm as URDF."""
    names, zero = link_names(arm), np.zeros(len(arm.joints))
    frames, limits = arm.links(zero), arm.limits
    root = ElementTree.Element("robot", name=arm.name)
    for number, name in enumerate(names):
        link = ElementTree.SubElement(root, "link", name=name)
        for piece in arm.collision_geometry:
            if piece.link == number:
                _draw(link, piece)
    for i, joint in enumerate(arm.joints):
        turning = _joint(root, joint, "revolute", names[i], names[i + 1])
        _place(turning, np.linalg.inv(frames[i]) @ frames[i + 1])
        ElementTree.SubElement(turning, "axis", xyz="0 0 1")
        ElementTree.SubElement(
            turning,
            "limit",
            lower=repr(float(limits.lower[i])),
            upper=repr(float(limits.upper[i])),
            velocity=repr(float(limits.velocity[i])),
            effort=EFFORT,
        )
    ElementTree.SubElement(root, "link", name=TOOL)
    _place(
        _joint(root, f"{names[-1]}_{TOOL}", "fixed", names[-1], TOOL),
        np.linalg.inv(frames[-1]) @ tool_frame(arm, zero),
    )
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode")


def tool_frame(arm: Arm, q: Array) -> Array:
    """Return the frame ``(4, 4)`` of the tool [m] in ``base`` at ``q`` ``(n,)`` [rad]."""
    point, rotation = arm.tool_pose(q)
    frame: Array = np.eye(4)
    frame[:3, :3], frame[:3, 3] = rotation, point
    return frame


def _joint(root: _Element, name: str, kind: str, parent: str, child: str) -> _Element:
    joint = ElementTree.SubElement(root, "joint", name=name, type=kind)
    ElementTree.SubElement(joint, "parent", link=parent)
    ElementTree.SubElement(joint, "child", link=child)
    return joint


def _draw(link: _Element, piece: Capsule) -> None:
    """Draw a piece as a cylinder with two round ends."""
    along = piece.end - piece.start
    length = float(np.linalg.norm(along))
    if length > 0.0:
        middle = axis_frame(along / length)
        middle[:3, 3] = 0.5 * (piece.start + piece.end)
        _shape(link, middle, "cylinder", radius=piece.radius, length=length)
    for end in (piece.start, piece.end) if length > 0.0 else (piece.start,):
        place: Array = np.eye(4)
        place[:3, 3] = end
        _shape(link, place, "sphere", radius=piece.radius)


def _shape(link: _Element, frame: Array, kind: str, **sizes: float) -> None:
    for use in ("visual", "collision"):
        element = ElementTree.SubElement(link, use)
        _place(element, frame)
        geometry = ElementTree.SubElement(element, "geometry")
        ElementTree.SubElement(geometry, kind, {name: repr(float(v)) for name, v in sizes.items()})


def _place(element: _Element, frame: Array) -> None:
    xyz = " ".join(repr(float(v)) for v in frame[:3, 3])
    rpy = " ".join(repr(v) for v in _roll_pitch_yaw(frame[:3, :3]))
    ElementTree.SubElement(element, "origin", xyz=xyz, rpy=rpy)


def _roll_pitch_yaw(rotation: Array) -> tuple[float, float, float]:
    """Return fixed-axis angles [rad]: ``rotation`` = Rz(yaw) Ry(pitch) Rx(roll)."""
    r = rotation
    pitch = float(np.arctan2(-r[2, 0], np.hypot(r[0, 0], r[1, 0])))
    if np.hypot(r[0, 0], r[1, 0]) < 1e-9:  # roll and yaw turn about the same axis: all is roll
        sign = -1.0 if pitch > 0.0 else 1.0
        return float(np.arctan2(sign * -r[0, 1], r[1, 1])), pitch, 0.0
    return float(np.arctan2(r[2, 1], r[2, 2])), pitch, float(np.arctan2(r[1, 0], r[0, 0]))
