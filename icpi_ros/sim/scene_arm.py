"""Scenes with a described arm in place of their own: its MJCF, and the exchange in a scene.

A scene includes its arm as a file, or has it built in: MJCF cannot hang a body on an arm that is
included, so a scene whose object hangs from the tool has the arm's bodies in it.  The other arm
takes their place; what hung from the tool hangs from the other one's tool point, in the same pose
to it.

Kinematics are exact; masses and servos are those of the description and may be rough: a position
servo with the wanted velocity fed forward follows a strike whatever they are.  As in sim/ur5e.xml:
gravity compensation, no contacts of the arm, geom ``blade``, site ``tool``.
"""

from __future__ import annotations

from xml.etree import ElementTree

import numpy as np

from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import Array
from icpi_ros.robots.base import Capsule
from icpi_ros.robots.described_arm import DescribedArm

BLADE = "blade"
"""Name of the piece that strikes: drawn and simulated as a box, as in sim/ur5e.xml."""
BLADE_SIZE = (0.08, 0.004, 0.006)
"""Half sides of the blade in the tool's frame [m]."""
ARMATURE = 0.1
"""Inertia of every motor, seen at its joint [kg m^2]."""
TOOL = "tool"
"""Name of the body that carries the tool, and of the site at the tool point."""
_Element = ElementTree.Element


def arm_model(arm: DescribedArm) -> bytes:
    """Return the MJCF file of an arm, to be included in a scene."""
    root = ElementTree.Element("mujoco", model=arm.name)
    _defaults(root, arm.name)
    parent = _add(root, "worldbody")
    _pieces(parent, arm, 0)
    for i, joint in enumerate(arm.joints):
        place = {"name": f"link_{i + 1}", "gravcomp": "1"} | _pose(arm.description.chain.origins[i])
        parent = _add(parent, "body", place | ({"childclass": arm.name} if i == 0 else {}))
        _add(parent, "joint", {"name": joint})
        _pieces(parent, arm, i + 1)
    _tool(parent, arm)
    _actuators(root, arm)
    return ElementTree.tostring(root)


def _add(parent: _Element, tag: str, attributes: dict[str, str] | None = None) -> _Element:
    return ElementTree.SubElement(parent, tag, attributes or {})


def _defaults(root: _Element, name: str) -> None:
    own = _add(_add(root, "default"), "default", {"class": name})
    quiet = {"contype": "0", "conaffinity": "0", "group": "2", "rgba": "0.55 0.6 0.65 1"}
    _add(own, "geom", quiet)
    _add(own, "joint", {"axis": "0 0 1", "armature": f"{ARMATURE:g}"})


def _pieces(body: _Element, arm: DescribedArm, link: int) -> None:
    """Add the pieces of one link, each with the mass of the description."""
    carried = [
        (piece, mass)
        for piece, mass in zip(arm.collision_geometry, arm.description.masses, strict=True)
        if piece.link == link and piece.name != BLADE
    ]
    for piece, mass in carried:
        size = {"class": arm.name, "size": _text([piece.radius]), "mass": _text([mass])}
        _add(body, "geom", size | _shape(piece))
    if not carried and link > 0:
        _bare(body)


def _bare(body: _Element) -> None:
    """Give a body without pieces a little mass: MuJoCo moves nothing that has none."""
    light = {"pos": "0 0 0", "mass": "0.1", "diaginertia": "1e-4 1e-4 1e-4"}
    _add(body, "inertial", light)


def _shape(piece: Capsule) -> dict[str, str]:
    """Return type and place of a piece's geom: MuJoCo's capsules must have a length."""
    if np.linalg.norm(piece.end - piece.start) < 1e-6:
        return {"type": "sphere", "pos": _text(piece.start)}
    return {"type": "capsule", "fromto": _text([*piece.start, *piece.end])}


def _tool(last: _Element, arm: DescribedArm) -> None:
    place = {"name": "tool", "gravcomp": "1"} | _pose(arm.description.chain.tool)
    tool = _add(last, "body", place)
    masses = {
        p.name: m for p, m in zip(arm.collision_geometry, arm.description.masses, strict=True)
    }
    if BLADE in masses:
        box = {"name": BLADE, "type": "box", "rgba": "0.2 0.3 0.8 1"}
        _add(tool, "geom", box | {"size": _text(BLADE_SIZE), "mass": _text([masses[BLADE]])})
    _add(tool, "site", {"name": "tool", "size": "0.004"})


def _actuators(root: _Element, arm: DescribedArm) -> None:
    block, servos = _add(root, "actuator"), arm.description.servos
    for joint, kp, kv, torque in zip(arm.joints, servos.kp, servos.kv, servos.torque, strict=True):
        gains = {"kp": _text([kp]), "kv": _text([kv]), "forcerange": _text([-torque, torque])}
        _add(block, "position", {"name": joint, "joint": joint} | gains)


def _pose(frame: Array) -> dict[str, str]:
    from scipy.spatial.transform import Rotation  # 0.3 s, for described arms alone

    x, y, z, w = Rotation.from_matrix(frame[:3, :3]).as_quat()
    return {"pos": _text(frame[:3, 3]), "quat": _text([w, x, y, z])}


def _text(values: object) -> str:
    """Return numbers with all their digits."""
    return " ".join(repr(float(value)) for value in np.ravel(np.asarray(values, dtype=np.float64)))


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
    old = next((body for body in world.findall("body") if _tool_body(body) is not None), None)
    if old is None:
        raise UsageError("the scene has no arm with a body called 'tool'")
    carrier, new = _tool_body(old), _tool_body(ours)
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


def _tool_body(body: _Element) -> _Element | None:
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
