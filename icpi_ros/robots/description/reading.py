"""Reader of an arm's YAML file; docs/arms.md explains every key.

No other file may describe an arm by the name of one that comes with the package: a limits file, a
log or a trial with ``ur5e`` must mean that arm, not one with its name.
"""

from __future__ import annotations

import contextlib
import math
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from icpi_ros.core.errors import DescriptionError, Kind, Refusal
from icpi_ros.core.files import HashedFile
from icpi_ros.core.resources import share_path
from icpi_ros.core.types import Array
from icpi_ros.core.yaml_files import parse_yaml, read_text
from icpi_ros.robots import ARMS
from icpi_ros.robots.base import ArmLimits, Capsule
from icpi_ros.robots.described_arm import DescribedArm, Description, Servos
from icpi_ros.robots.description import fields
from icpi_ros.robots.description.fields import ARM_FILE, DescriptionBlock
from icpi_ros.robots.kinematics import Chain, axis_frame, dh_step, placed

if TYPE_CHECKING:
    from icpi_ros.robots.description.urdf import UrdfChain

MIN_JOINTS, MAX_JOINTS = 6, 12
ROUNDED_AXIS = 1e-3
"""Deviation of an axis' length from 1 that is rounding, and is mended."""
LINK_MASS = 2.0
"""Mass of a piece that has none in the file, for the simulation [kg]."""
_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
_REQUIRED = ("name", "source", "tool", "limits", "home", "body")
_OPTIONAL = ("joints", "urdf", "mount", "flange", "servos", "strike_deceleration")
_LIMITS = ("acceleration", "workspace", "tool_speed", "tool_energy")
_OF_JOINTS = {"lower": fields.ANGLE, "upper": fields.ANGLE, "velocity": fields.JOINT_SPEED}
"""Limits that a URDF has; beside one, a description may tighten them."""


@dataclass(frozen=True)
class _Skeleton:
    """Joints as a file gives them: frames ``(n, 4, 4)``, whose axis need not be z, and flange."""

    names: tuple[str, ...]
    origins: Array
    axes: Array
    flange: Array
    urdf: UrdfChain | None = None

    @property
    def turns(self) -> Array:
        """Rotations ``(n, 4, 4)`` from a joint's own frame to one with z along its axis."""
        return np.array([axis_frame(axis) for axis in self.axes])


def load_arm(path: Path) -> DescribedArm:
    """Return the arm that a YAML file describes.

    Raises:
        DescriptionError: the file cannot be read or holds what is not allowed, or its name is
            that of an arm of the package; the message names file, key, value and what is allowed.
    """
    text = read_text(path, ARM_FILE)
    file = HashedFile.of(path, text.encode())
    top = DescriptionBlock.of(str(path), parse_yaml(text, path, ARM_FILE), _REQUIRED, _OPTIONAL)
    name = top.text("name")
    if not _NAME.fullmatch(name):
        raise top.fail("name", "small letters, digits and _, a letter first, at most 40")
    _check_name(name, file)
    skeleton = _skeleton(top, path)
    chain, flange = _chain(top, skeleton)
    n = len(skeleton.names)
    limits = _limits(top, skeleton)
    geometry, masses = _collision_geometry(top, skeleton, flange, chain)
    return DescribedArm(
        Description(
            name=name,
            source=_source(top),
            joints=skeleton.names,
            chain=chain,
            flange=flange,
            limits=limits,
            home=_home(top, limits),
            collision_geometry=geometry,
            masses=masses,
            servos=_servos(top, n),
            strike_deceleration=_strike_deceleration(top),
            files=(file, skeleton.urdf.file) if skeleton.urdf else (file,),
        )
    )


def _check_name(name: str, file: HashedFile) -> None:
    """Refuse a description whose name belongs to an arm of the package.

    The package's own files keep theirs, and so does a copy of one, byte for byte.

    Raises:
        DescriptionError: the name is taken; the message lists the names that are.
    """
    shipped = _shipped()
    taken = {*ARMS.built_in, *shipped}
    if name in taken and shipped.get(name) != file.sha256:
        text = (
            f"{file.path}: name is {name!r}: must be another than those of the arms that come with "
            f"icpi_ros, {', '.join(sorted(taken))}, for example {name}_lab"
        )
        raise DescriptionError(Refusal(text, Kind.DUPLICATE, "name", value=name, field="name"))


@cache
def _shipped() -> dict[str, str]:
    """Return the names of the arms in ``config/arms`` with the hashes of their files."""
    found = {}
    for path in sorted(share_path("config", "arms").glob("*.y*ml")):
        with contextlib.suppress(DescriptionError):  # another person's file, or a draft
            text = read_text(path, ARM_FILE)
            content = parse_yaml(text, path, ARM_FILE)
            if isinstance(content, dict) and isinstance(name := content.get("name"), str):
                found[name] = HashedFile.of(path, text.encode()).sha256
    return found


def _source(top: DescriptionBlock) -> tuple[str, ...]:
    lines = top.items("source")
    if not all(isinstance(line, str) and line.strip() for line in lines):
        raise top.fail("source", "a list of texts that say where the numbers come from")
    return tuple(" ".join(line.split()) for line in lines)


def _skeleton(top: DescriptionBlock, path: Path) -> _Skeleton:
    if top.has("joints") == top.has("urdf"):
        text = f"{top.where}: give either joints or urdf"
        kind = Kind.DUPLICATE if top.has("joints") else Kind.MISSING
        raise DescriptionError(Refusal(text, kind, "joints", field="joints"))
    skeleton = _from_urdf(top, path) if top.has("urdf") else _from_joints(top)
    count, limit = len(skeleton.names), (float(MIN_JOINTS), float(MAX_JOINTS))
    if not MIN_JOINTS <= count <= MAX_JOINTS:
        text = f"{top.where}: the arm has {count} joints: allowed are {MIN_JOINTS} to {MAX_JOINTS}"
        raise DescriptionError(
            Refusal(text, Kind.OUT_OF_BOUNDS, "joints", value=count, limit=limit, field="joints")
        )
    if len(set(skeleton.names)) != count:
        text = f"{top.where}: joints have the same name: {skeleton.names}"
        names = skeleton.names
        raise DescriptionError(Refusal(text, Kind.DUPLICATE, "joints", value=names, field="joints"))
    return skeleton


def _from_urdf(top: DescriptionBlock, path: Path) -> _Skeleton:
    # with an XML parser, which few arms need
    from icpi_ros.robots.description.urdf import read_urdf

    block = top.inner("urdf", ("file", "base", "tip"))
    if top.has("flange"):
        text = f"{top.where}: flange is the URDF's tip link: leave it out"
        raise DescriptionError(Refusal(text, Kind.DUPLICATE, "flange", field="flange"))
    file = path.parent / Path(block.text("file")).expanduser()
    found = read_urdf(file, block.text("base"), block.text("tip"))
    return _Skeleton(found.joints, found.origins, found.axes, found.flange, found)


def _from_joints(top: DescriptionBlock) -> _Skeleton:
    rows = top.items("joints", MIN_JOINTS, MAX_JOINTS)
    dh = isinstance(rows[0], dict) and "alpha" in rows[0]
    needed = ("name", "a", "alpha", "d") if dh else ("name", "xyz", "rpy", "axis")
    blocks = [
        DescriptionBlock.of(f"{top.where}: joints[{i}]", row, needed, ("theta",) if dh else ())
        for i, row in enumerate(rows)
    ]
    flange = _pose(top, "flange")
    if dh:
        origins, last = _dh_frames(blocks)
        axes = np.tile([0.0, 0.0, 1.0], (len(blocks), 1))
        return _Skeleton(tuple(b.text("name") for b in blocks), origins, axes, last @ flange)
    origins = np.array(
        [
            placed(b.numbers("xyz", 3, fields.LENGTH), b.numbers("rpy", 3, fields.ANGLE))
            for b in blocks
        ]
    )
    axes = np.array([_axis(b) for b in blocks])
    return _Skeleton(tuple(b.text("name") for b in blocks), origins, axes, flange)


def _dh_frames(blocks: list[DescriptionBlock]) -> tuple[Array, Array]:
    """Return the frames of the joints, and what lies behind the last one."""
    origins, behind = [], np.eye(4)
    for b in blocks:
        zero = b.number("theta", fields.ANGLE) if b.has("theta") else 0.0
        origins.append(behind @ placed(np.zeros(3), np.array([0.0, 0.0, zero])))
        behind = dh_step(
            b.number("a", fields.LENGTH), b.number("alpha", fields.ANGLE),
            b.number("d", fields.LENGTH),
        )  # fmt: skip
    return np.array(origins), behind


def _axis(block: DescriptionBlock) -> Array:
    axis = block.numbers("axis", 3, fields.DIRECTION)
    length = float(np.linalg.norm(axis))
    if abs(length - 1.0) > ROUNDED_AXIS:
        raise block.fail("axis", "a vector of length 1")
    return np.asarray(axis / length)


def _pose(top: DescriptionBlock, key: str) -> Array:
    """Return an optional pose ``(4, 4)``, the unit one if it is not given."""
    if not top.has(key):
        return np.eye(4)
    block = top.inner(key, ("xyz", "rpy"))
    return placed(block.numbers("xyz", 3, fields.LENGTH), block.numbers("rpy", 3, fields.ANGLE))


def _chain(top: DescriptionBlock, skeleton: _Skeleton) -> tuple[Chain, Array]:
    """Return the chain, tool included, and the flange in the frame of the last link."""
    block = top.inner("tool", ("xyz", "rpy", "mass"))
    tool = placed(block.numbers("xyz", 3, fields.LENGTH), block.numbers("rpy", 3, fields.ANGLE))
    turns = skeleton.turns
    before = np.concatenate([_pose(top, "mount")[np.newaxis], turns[:-1].transpose(0, 2, 1)])
    flange = turns[-1].T @ skeleton.flange
    return Chain(before @ skeleton.origins @ turns, flange @ tool), flange


def _limits(top: DescriptionBlock, skeleton: _Skeleton) -> ArmLimits:
    n, urdf = len(skeleton.names), skeleton.urdf
    of_joints = tuple(_OF_JOINTS)
    block = top.inner("limits", *((_LIMITS, of_joints) if urdf else ((*of_joints, *_LIMITS), ())))
    joints = {key: _of_joints(block, key, n, urdf) for key in of_joints}
    box = block.inner("workspace", ("lower", "upper"))
    corners = [box.numbers(key, 3, fields.LENGTH) for key in ("lower", "upper")]
    try:
        return ArmLimits(
            **joints,
            acceleration=block.numbers("acceleration", n, fields.ACCELERATION),
            workspace_lower=corners[0],
            workspace_upper=corners[1],
            tool_speed=block.number("tool_speed", fields.TOOL_SPEED),
            tool_mass=top.inner("tool", ("xyz", "rpy", "mass")).number("mass", fields.MASS),
            tool_energy=block.number("tool_energy", fields.ENERGY),
        )
    except ValueError as exc:
        text = f"{block.where}: {' '.join(str(exc).split())}"
        raise DescriptionError(Refusal(text, Kind.NO_MOTION)) from None


def _of_joints(block: DescriptionBlock, key: str, n: int, urdf: UrdfChain | None) -> Array:
    """Return one limit of all joints; that of a URDF may be tightened, and must be if too wide.

    Some URDFs have placeholders, such as 100 rad/s for every joint.
    """
    quantity = _OF_JOINTS[key]
    if urdf is None:
        return block.numbers(key, n, quantity)
    own: Array = getattr(urdf, key)
    found = block.numbers(key, n, quantity) if block.has(key) else own
    looser = found < own if key == "lower" else found > own
    too_wide = np.abs(found) > quantity.largest
    for bad, kind in ((looser, Kind.LOOSER), (too_wide, Kind.OUT_OF_BOUNDS)):
        if bad.any():
            i = int(np.argmax(bad))
            raise _refused_limit(block, key, urdf, i, float(found[i]), kind)
    return found


def _refused_limit(
    block: DescriptionBlock, key: str, urdf: UrdfChain, i: int, value: float, kind: Kind
) -> DescriptionError:
    """Return the refusal of a limit of joint ``i`` that is looser than its URDF's, or too wide."""
    quantity, joint = _OF_JOINTS[key], urdf.joints[i]
    unit, most, own = quantity.unit, quantity.largest, float(getattr(urdf, key)[i])
    text = (
        f"{block.where}: {key}[{i}] is {value:g}: looser than {own:g} {unit}, the limit of joint "
        f"{joint!r} in {urdf.file.path}: it can only be tightened"
    )
    if kind is Kind.OUT_OF_BOUNDS:
        hint = f" ({quantity.hint})" if quantity is fields.ANGLE else ""
        what = f"is {value:g}: must be at most {most:.4g} {unit}{hint}; if it is a placeholder,"
        text = (
            f"{urdf.file.path}: joint {joint!r}: limit {key} "
            f"{what if math.isfinite(value) else 'is missing, or 0:'} give {key} of all joints in "
            f"{block.where}"
        )
        own = most
    limit = (own, math.inf) if key == "lower" else (-math.inf, own)
    return DescriptionError(Refusal(text, kind, key, joint, value, limit, unit, key))


def _home(top: DescriptionBlock, limits: ArmLimits) -> Array:
    home = top.numbers("home", len(limits.lower), fields.ANGLE)
    inside = (home > limits.lower) & (home < limits.upper)
    if not inside.all():
        i = int(np.argmin(inside))
        field, value = f"home[{i}]", float(home[i])
        limit = (float(limits.lower[i]), float(limits.upper[i]))
        text = (
            f"{top.where}: {field} is {value:g}: must be inside the joint's limits "
            f"{limit[0]:g} to {limit[1]:g} rad"
        )
        raise DescriptionError(
            Refusal(text, Kind.OUT_OF_BOUNDS, field, "", value, limit, "rad", field)
        )
    return home


def _collision_geometry(
    top: DescriptionBlock, skeleton: _Skeleton, flange: Array, chain: Chain
) -> tuple[tuple[Capsule, ...], tuple[float, ...]]:
    pieces, masses = list[Capsule](), list[float]()
    for i, item in enumerate(top.items("body")):
        block = DescriptionBlock.of(
            f"{top.where}: body[{i}]", item, ("name", "link", "start", "end", "radius"), ("mass",)
        )
        link, frame = _frame(top, block, skeleton, chain)
        start, end = (
            frame[:3, :3] @ block.numbers(key, 3, fields.LENGTH) + frame[:3, 3]
            for key in ("start", "end")
        )
        radius = block.number("radius", fields.RADIUS)
        pieces.append(Capsule(block.text("name"), link, start, end, radius))
        masses.append(block.number("mass", fields.MASS) if block.has("mass") else LINK_MASS)
    carried = {piece.link for piece in pieces}
    if len(skeleton.names) not in carried:
        text = f"{top.where}: body has no piece on the last link or the tool"
        raise DescriptionError(Refusal(text, Kind.MISSING, "body", field="body"))
    return tuple(pieces), tuple(masses)


def _frame(
    top: DescriptionBlock, block: DescriptionBlock, skeleton: _Skeleton, chain: Chain
) -> tuple[int, Array]:
    """Return the link that carries a piece and the frame of its ends in that of the link."""
    n, link = len(skeleton.names), block.content["link"]
    if link == "tool":
        return n, chain.tool
    if isinstance(link, bool) or not isinstance(link, int) or not 0 <= link <= n:
        raise block.fail("link", f"a number from 0 (the base) to {n}, or tool")
    return link, _pose(top, "mount") if link == 0 else skeleton.turns[link - 1].T


def _servos(top: DescriptionBlock, n: int) -> Servos:
    """Return the servos, without any in the file rather stiff ones."""
    if not top.has("servos"):
        return Servos(np.full(n, 4000.0), np.full(n, 250.0), np.full(n, 150.0))
    block = top.inner("servos", ("kp", "kv", "torque"))
    return Servos(
        block.numbers("kp", n, fields.STIFFNESS),
        block.numbers("kv", n, fields.DAMPING),
        block.numbers("torque", n, fields.TORQUE),
    )


def _strike_deceleration(top: DescriptionBlock) -> Any:
    if not top.has("strike_deceleration"):
        return DescribedArm.strike_deceleration
    return top.number("strike_deceleration", fields.DECELERATION)
