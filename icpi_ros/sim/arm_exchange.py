"""A scene that has its arm built in, with another arm in its place.

MJCF cannot hang a body on an arm that is included, so a scene whose object hangs from the tool
has the arm's bodies in it.  The other arm takes their place; what hung from the tool hangs from
the other one's tool point, in the same pose to it.
"""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Array

TOOL = "tool"
"""Name of the body that carries the tool, and of the site at the tool point."""
_Element = ElementTree.Element


def exchanged(scene: str, arm: bytes) -> str:
    """Return the MJCF of a scene with another arm.

    Args:
        scene: MJCF with the bodies of an arm in it, one of them called ``tool``.
        arm: MJCF of the other arm, whose body ``tool`` lies at its tool point.

    Raises:
        UsageError: the scene is damaged, or has no arm with a tool.
    """
    try:
        root, other = ElementTree.fromstring(scene), ElementTree.fromstring(arm)
    except ElementTree.ParseError as exc:
        raise UsageError(f"the scene is not XML ({exc})") from None
    world, ours = _only(root, "worldbody"), _only(other, "worldbody")
    old = next((body for body in world.findall("body") if _tool(body) is not None), None)
    if old is None:
        raise UsageError("the scene has no arm with a body called 'tool'")
    carrier, new = _tool(old), _tool(ours)
    assert carrier is not None
    assert new is not None  # arm_model makes one
    point = next((site for site in carrier.findall("site") if site.get("name") == TOOL), None)
    offset = _numbers(None if point is None else point.get("pos"))
    for hanging in carrier.findall("body"):
        place = _numbers(hanging.get("pos")) - offset
        hanging.set("pos", " ".join(repr(float(value)) for value in place))
        new.append(hanging)
    _remove_actuators(root, {str(joint.get("name")) for joint in old.iter("joint")})
    world.remove(old)
    world.extend(list(ours))
    for tag in ("default", "actuator"):
        _section(root, tag).extend(list(_only(other, tag)))
    return ElementTree.tostring(root, encoding="unicode")


def _tool(body: _Element) -> _Element | None:
    """Return the body of the tool at or below ``body``; None = there is none."""
    return next((each for each in body.iter("body") if each.get("name") == TOOL), None)


def _remove_actuators(root: _Element, joints: set[str]) -> None:
    for block in root.findall("actuator"):
        for actuator in [each for each in block if each.get("joint") in joints]:
            block.remove(actuator)


def _section(root: _Element, tag: str) -> _Element:
    found = root.find(tag)
    return ElementTree.SubElement(root, tag) if found is None else found


def _only(root: _Element, tag: str) -> _Element:
    found = root.find(tag)
    if found is None:
        raise UsageError(f"the scene has no <{tag}>")
    return found


def _numbers(text: str | None) -> Array:
    return np.array([float(value) for value in (text or "0 0 0").split()])
