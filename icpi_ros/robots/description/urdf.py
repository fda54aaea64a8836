"""The chain between two links of a URDF: frames and limits of its revolute joints.

Format: "URDF XML specification" (wiki.ros.org/urdf/XML), elements joint, origin, axis, limit and
mimic.  Everything else in a file (materials, transmissions, simulators' tags, other namespaces) is
passed over.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from xml.parsers.expat import errors

import numpy as np

from icpi_ros.core.errors import DescriptionError, Kind, Refusal
from icpi_ros.core.files import HashedFile
from icpi_ros.core.text import decimal_number
from icpi_ros.core.types import Array
from icpi_ros.core.yaml_files import FileKind, read_content
from icpi_ros.robots.description.fields import ANGLE, LENGTH, DescriptionBlock, Quantity
from icpi_ros.robots.kinematics import placed

URDF_FILE = FileKind(DescriptionError, max_bytes=4_000_000, invalid="{path}: not valid XML")
_ONCE = ("parent", "child", "origin", "axis", "limit", "mimic")
_TURNING = ("revolute", "continuous")
_LIMIT = Quantity("rad", 1e20)
_SPEED = Quantity("rad/s", 1e20, positive=True)
"""Some files have placeholders: what an arm may have is checked with the arm's own file."""
_DIRECTION = Quantity("1", 1e6)
MIN_AXIS = 1e-6
"""Shortest axis that has a direction; every other length is made 1, as writers round it."""
MULTI_BYTE = ("gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr")
"""Encodings that a file may declare besides those of the XML parser."""
_DECLARATION = re.compile(rb"""\s*<\?xml[^>]*?encoding\s*=\s*["']([\w.-]+)["'][^>]*?\?>""")
_UNBOUND_PREFIX = errors.codes[errors.XML_ERROR_UNBOUND_PREFIX]
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
        velocity: ``(n,)`` [rad/s]; infinite where it has none, or 0.
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
    content = read_content(path, URDF_FILE)
    path_up = _way(_joints(content, path), path, base, tip)
    names, origins, axes, limits = list[str](), list[Array](), list[Array](), list[list[float]]()
    carried = np.eye(4)
    for joint in path_up:
        _require_single(joint, path)
        carried = carried @ _origin(joint, path)
        if joint.get("type") == "fixed":
            continue
        names.append(_name(joint, path))
        origins.append(carried)
        axes.append(_axis(joint, path))
        limits.append(_limits(joint, path))
        carried = np.eye(4)
    if not names:
        text = f"{path}: no joint turns between {base} and {tip}"
        raise DescriptionError(Refusal(text, Kind.MISSING, "joints"))
    lower, upper, velocity = np.array(limits).T
    file = HashedFile.of(path, content)
    return UrdfChain(
        tuple(names), np.array(origins), np.array(axes), carried, lower, upper, velocity, file
    )


class _Builder(ElementTree.TreeBuilder):
    """Builder of a tree without a DOCTYPE: its entities can grow beyond any memory.

    Attributes:
        macros: namespaces of xacro.
    """

    def __init__(self) -> None:
        super().__init__()
        self.macros = set[str]()

    def start_ns(self, prefix: str, uri: str) -> None:
        """Take note of a namespace."""
        if prefix == "xacro" or "xacro" in uri:
            self.macros.add(uri)

    def doctype(self, *_: object) -> None:
        """Refuse the file."""
        raise _NoUrdf("a URDF has no DOCTYPE: remove it")


class _NoUrdf(Exception):
    """Reason why a file is no URDF."""


def _joints(content: bytes, path: Path) -> dict[str, _Element]:
    """Return the joints by the names of their child links."""
    try:
        root = _root(content)
        found = dict[str, _Element]()
        for joint in _local(root, "joint"):
            child = _link(joint, "child")
            if child in found:
                raise _NoUrdf(f"link {child!r} is the child of two joints")
            found[child] = joint
    except _NoUrdf as exc:
        raise DescriptionError(Refusal(f"{path}: {exc}", Kind.UNREADABLE)) from None
    except (ElementTree.ParseError, ValueError, LookupError) as exc:
        why = f"{path}: not valid XML: {exc}"
        if getattr(exc, "code", None) == _UNBOUND_PREFIX:
            why += " (not expanded? run it through xacro first)"
        raise DescriptionError(Refusal(why, Kind.UNREADABLE)) from None
    return found


def _root(content: bytes) -> _Element:
    """Return the root, whose own namespace is taken off; raise what says that it is none."""
    declared = _DECLARATION.match(content)
    text: bytes | str = content.lstrip()
    if declared and (name := declared[1].decode().lower()) in MULTI_BYTE:
        text = content[declared.end() :].decode(name)
    builder = _Builder()
    root = ElementTree.fromstring(text, ElementTree.XMLParser(target=builder))
    namespace, _, name = root.tag.rpartition("}")
    if name != "robot":
        raise _NoUrdf(f"its root is <{name[:40]}>, that of a URDF is <robot>")
    for element in root.iter():
        if element.tag.rpartition("}")[0][1:] in builder.macros:
            raise _NoUrdf("it is not expanded: run it through xacro first")
        if namespace and element.tag.startswith(f"{namespace}}}"):
            element.tag = element.tag[len(namespace) + 1 :]
    return root


def _local(root: _Element, tag: str) -> list[_Element]:
    """Return the root's own joints: transmissions and simulators name joints, too."""
    return [element for element in root.findall(tag) if element.get("type")]


def _require_single(joint: _Element, path: Path) -> None:
    """Refuse a joint of which two elements say something: which of two limits is meant?"""
    for tag in _ONCE:
        if len(joint.findall(tag)) > 1:
            text = f"{path}: joint {joint.get('name')!r} has <{tag}> more than once"
            raise DescriptionError(Refusal(text, Kind.DUPLICATE, tag, field=tag))


def _name(joint: _Element, path: Path) -> str:
    """Return the name of a joint that turns by itself."""
    name = joint.get("name", "")
    if not name:
        text = f"{path}: the joint that carries link {_link(joint, 'child')!r} has no name"
        raise DescriptionError(Refusal(text, Kind.MISSING, "name", field="name"))
    if (mimic := joint.find("mimic")) is not None:
        text = (
            f"{path}: joint {name!r} follows {mimic.get('joint')!r} (mimic): between base and tip "
            "every joint must turn by itself"
        )
        raise DescriptionError(Refusal(text, Kind.UNKNOWN_NAME, "mimic", name, field="mimic"))
    return name


def _link(joint: _Element, role: str) -> str:
    element = joint.find(role)
    return "" if element is None else element.get("link", "")


def _way(joints: dict[str, _Element], path: Path, base: str, tip: str) -> list[_Element]:
    """Return the joints from ``base`` to ``tip``, the first at the base."""
    way, link = list[_Element](), tip
    unused = dict(joints)
    while link != base:
        joint = unused.pop(link, None)
        if joint is None:
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
    axis = block.numbers("xyz", 3, _DIRECTION)
    length = float(np.linalg.norm(axis))
    if length < MIN_AXIS:
        raise block.fail("xyz", "a direction: one of its numbers must not be 0")
    return np.asarray(axis / length)


def _limits(joint: _Element, path: Path) -> list[float]:
    """Return lower, upper [rad] and velocity [rad/s], which may be missing.

    A continuous joint has no end, whatever its limits say: it may turn twice.
    """
    block = _numbers(joint, joint.find("limit"), path, velocity="")
    if joint.get("type") == "continuous":
        whole = {"lower": [-2 * math.pi], "upper": [2 * math.pi]}
        block = DescriptionBlock(block.where, block.content | whole)
    for key in ("lower", "upper"):
        if not block.has(key) or block.content[key] == []:
            text = f"{block.where}: limit {key} is missing"
            raise DescriptionError(Refusal(text, Kind.MISSING, key, field=key))
    lower, upper = (float(block.numbers(key, 1, _LIMIT)[0]) for key in ("lower", "upper"))
    if block.content["velocity"] in ([], [0.0]):  # writers' words for "not known"
        return [lower, upper, math.inf]
    return [lower, upper, float(block.numbers("velocity", 1, _SPEED)[0])]


def _numbers(
    joint: _Element, element: _Element | None, path: Path, **defaults: str
) -> DescriptionBlock:
    """Return an element's attributes as lists of numbers; what is no number stays a text."""
    texts = defaults | ({} if element is None else dict(element.attrib))
    content = {key: [_parsed(word) for word in text.split()] for key, text in texts.items()}
    return DescriptionBlock(f"{path}: joint {joint.get('name')!r}", content)


def _parsed(word: str) -> float | str:
    try:
        return decimal_number(word)
    except ValueError:
        return word
