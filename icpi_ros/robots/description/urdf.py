"""The chain between two links of a URDF: frames and limits of its revolute joints.

Format: "URDF XML specification" (wiki.ros.org/urdf/XML), elements joint, origin, axis, limit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from icpi_ros.core.errors import DescriptionError, Kind, Refusal
from icpi_ros.core.files import HashedFile
from icpi_ros.core.types import Array
from icpi_ros.core.yaml_files import FileKind, read_text
from icpi_ros.robots.description.fields import (
    ANGLE,
    DIRECTION,
    JOINT_SPEED,
    LENGTH,
    DescriptionBlock,
)
from icpi_ros.robots.kinematics import placed

URDF_FILE = FileKind(DescriptionError, invalid="{path}: not valid XML")
_TURNING = ("revolute", "continuous")
_Element = ElementTree.Element


@dataclass(frozen=True)
class UrdfChain:
    """Chain of an arm as its URDF describes it.

    Attributes:
        joints: names of the ``n`` joints that turn.
        origins: ``(n, 4, 4)`` frame of each joint in that of the link that carries it [m].
        axes: ``(n, 3)`` unit vectors in the joint's own frame.
        flange: ``(4, 4)`` the tip link in the frame of the last joint [m].
        lower, upper: ``(n,)`` [rad].
        velocity: ``(n,)`` [rad/s].
        file: of the URDF.
    """

    joints: tuple[str, ...]
    origins: Array
    axes: Array
    flange: Array
    lower: Array
    upper: Array
    velocity: Array
    file: HashedFile


def read_urdf(path: Path, base: str, tip: str) -> UrdfChain:
    """Return the chain from link ``base`` to link ``tip``.

    Raises:
        DescriptionError: no URDF, no such links, or a joint that is not fixed or revolute.
    """
    text = read_text(path, URDF_FILE)
    path_up = _way(_joints(text, path), path, base, tip)
    names, origins, axes, limits = list[str](), list[Array](), list[Array](), list[list[float]]()
    carried = np.eye(4)
    for joint in path_up:
        carried = carried @ _origin(joint, path)
        if joint.get("type") == "fixed":
            continue
        names.append(str(joint.get("name")))
        origins.append(carried)
        axes.append(_axis(joint, path))
        limits.append(_limits(joint, path))
        carried = np.eye(4)
    if not names:
        text = f"{path}: no joint turns between {base} and {tip}"
        raise DescriptionError(Refusal(text, Kind.MISSING, "joints"))
    lower, upper, velocity = np.array(limits).T
    file = HashedFile.of(path, text.encode())
    return UrdfChain(
        tuple(names), np.array(origins), np.array(axes), carried, lower, upper, velocity, file
    )


def _joints(text: str, path: Path) -> dict[str, _Element]:
    """Return the joints by the names of their child links."""
    if "<!DOCTYPE" in text or "<!ENTITY" in text:
        why = f"{path}: a URDF has no DOCTYPE: remove it"
        raise DescriptionError(Refusal(why, Kind.UNREADABLE))
    if "xacro:" in text:
        why = f"{path} is not expanded: run it through xacro first"
        raise DescriptionError(Refusal(why, Kind.UNREADABLE))
    try:
        root = ElementTree.fromstring(text)
    except (ElementTree.ParseError, ValueError) as exc:
        why = f"{path}: not valid XML: {exc}"
        raise DescriptionError(Refusal(why, Kind.UNREADABLE)) from None
    return {_link(joint, "child"): joint for joint in root.iter("joint") if joint.get("type")}


def _link(joint: _Element, role: str) -> str:
    element = joint.find(role)
    return "" if element is None else element.get("link", "")


def _way(joints: dict[str, _Element], path: Path, base: str, tip: str) -> list[_Element]:
    """Return the joints from ``base`` to ``tip``, the first at the base."""
    way, link = list[_Element](), tip
    while link != base:
        joint = joints.get(link)
        if joint is None or joint in way:
            carried = tuple(sorted(joints))
            text = (
                f"{path}: no chain from link {base!r} to {tip!r}: "
                f"links that a joint carries are {', '.join(carried[:20])}"
            )
            raise DescriptionError(
                Refusal(text, Kind.UNKNOWN_NAME, "link", value=link, limit=carried)
            )
        if joint.get("type") not in ("fixed", *_TURNING):
            name, kind = joint.get("name", ""), joint.get("type")
            text = (
                f"{path}: joint {joint.get('name')!r} is {kind!r}: "
                "allowed between base and tip are fixed, revolute and continuous"
            )
            allowed = ("fixed", *_TURNING)
            raise DescriptionError(
                Refusal(text, Kind.UNKNOWN_NAME, "type", name, kind, allowed, field="type")
            )
        way.append(joint)
        link = _link(joint, "parent")
    return way[::-1]


def _origin(joint: _Element, path: Path) -> Array:
    element = joint.find("origin")
    if element is None:
        return np.eye(4)
    block = _numbers(joint, element, path, xyz="0 0 0", rpy="0 0 0")
    return placed(block.numbers("xyz", 3, LENGTH), block.numbers("rpy", 3, ANGLE))


def _axis(joint: _Element, path: Path) -> Array:
    element = joint.find("axis")
    block = _numbers(joint, element, path, xyz="1 0 0")  # URDF's default
    axis = block.numbers("xyz", 3, DIRECTION)
    if abs(np.linalg.norm(axis) - 1.0) > 1e-6:
        raise block.fail("xyz", "a unit vector")
    return np.asarray(axis / np.linalg.norm(axis))


def _limits(joint: _Element, path: Path) -> list[float]:
    """Return lower, upper [rad] and velocity [rad/s]; a continuous joint may turn twice."""
    element = joint.find("limit")
    whole = {"lower": str(-2 * math.pi), "upper": str(2 * math.pi)}
    block = _numbers(
        joint, element, path, **(whole if joint.get("type") == "continuous" else {}), velocity=""
    )
    for key in ("lower", "upper", "velocity"):
        if not block.has(key) or block.content[key] == []:
            text = f"{block.where}: limit {key} is missing"
            raise DescriptionError(Refusal(text, Kind.MISSING, key, field=key))
    lower, upper = (block.numbers(key, 1, ANGLE)[0] for key in ("lower", "upper"))
    return [float(lower), float(upper), float(block.numbers("velocity", 1, JOINT_SPEED)[0])]


def _numbers(
    joint: _Element, element: _Element | None, path: Path, **defaults: str
) -> DescriptionBlock:
    """Return an element's attributes as lists of numbers; what is no number stays a text."""
    texts = defaults | ({} if element is None else dict(element.attrib))
    content = {key: [_parsed(word) for word in text.split()] for key, text in texts.items()}
    return DescriptionBlock(f"{path}: joint {joint.get('name')!r}", content)


def _parsed(word: str) -> float | str:
    try:
        return float(word)
    except ValueError:
        return word
