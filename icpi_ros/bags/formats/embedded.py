"""Types in the definition that a bag embeds for a topic, as recorders of all kinds write it.

Only fields are read: comments, constants, defaults and annotations change no message.  What a
definition leaves out, or has garbled, is taken from the types that the core knows, and said.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from rosbags.interfaces import Nodetype
from rosbags.typesys import TypesysError, get_types_from_idl, get_types_from_msg

from icpi_ros.bags.formats.raw import Channel, shown

MAX_DEFINITION = 2**18
"""Longest embedded definition that is parsed [characters]; the longest standard ones have 10 k."""
MAX_FIELDS = 2000
"""Fields of all types of a definition together, elements of fixed arrays of messages included."""
_TOO_MANY = f"it has more than {MAX_FIELDS} fields"
Types = dict[str, Any]
"""By name: constants, which are left out, and fields."""
_PART = re.compile(r"(?<!=)={80,}\s*(?:MSG|IDL):[ \t]*([A-Za-z0-9_/]{1,200})[ \t]*(?:\n|$)")
_LINE = re.compile(
    r"(?P<type>[A-Za-z][A-Za-z0-9_/]*(?:<=[0-9]+)?(?:\[(?:<=)?[0-9]*\])?)[ \t]+"
    r"(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<rest>[ \t#=].*)?"
)
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*){1,2}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def embedded_types(channel: Channel, known: Mapping[str, Any]) -> tuple[Types, str]:
    """Return the types that a channel's definition describes, and a remark; "" = it is whole.

    Args:
        channel: with a definition.
        known: types that take the place of what is missing in it, by name.

    Raises:
        ValueError: it cannot be read.
    """
    if len(channel.definition) > MAX_DEFINITION:
        raise ValueError(f"it is longer than {MAX_DEFINITION} characters")
    found, faults = _parts(channel)
    if channel.kind in faults:
        raise ValueError(faults[channel.kind])
    lacking = _lacking(channel.kind, found)
    taken = sorted(lacking & known.keys())
    for name in taken:
        found |= _whole(name, known)
    if missing := _lacking(channel.kind, found):
        raise ValueError(f"it does not say what {shown(missing)} is")
    _check(found)
    remark = f"it does not say what {shown(taken)} is: ours is taken" if taken else ""
    return {name: ([], fields) for name, (_, fields) in found.items()}, remark


def references(kind: Any) -> list[str]:
    """Return the names of other types in the description of a field."""
    what, inner = kind
    if what in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        return references(inner[0])
    return [inner] if what == Nodetype.NAME else []


def full_kind(kind: str) -> str:
    """Return a type's name with its ``msg``, which some writers leave out."""
    return re.sub(r"^(\w+)/(\w+)$", r"\1/msg/\2", kind, flags=re.ASCII)


def _parts(channel: Channel) -> tuple[Types, dict[str, str]]:
    """Return the types that can be read, and why the others cannot be."""
    text = channel.definition.replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")
    first, *rest = _PART.split(text)
    named = [(channel.kind, first), *zip(rest[::2], rest[1::2], strict=True)]
    found, faults = Types(), dict[str, str]()
    for name, part in named:
        kind = full_kind(name)
        if kind in found or (part is first and not part.strip()):
            continue
        try:
            if channel.language == "ros2idl":
                body = part.split("\n", 1)[-1] if part.startswith("IDL: ") else part
                found |= get_types_from_idl(body)
            else:
                found |= get_types_from_msg("".join(_fields(part)), kind)
        except (ValueError, TypesysError, RecursionError) as exc:
            faults[kind] = f"{exc}"
    return found, faults


def _fields(part: str) -> Iterator[str]:
    """Yield the lines of a definition that describe a field, and nothing but that."""
    count = 0
    for line in part.split("\n"):
        text = line.strip()
        if not text or text[0] in "#@":
            continue
        match = _LINE.fullmatch(text)
        if match is None:
            raise ValueError(f"{text[:60]!r} is no field")
        if not (match["rest"] or "").lstrip().startswith("="):
            count += 1
            if count > MAX_FIELDS:
                raise ValueError(_TOO_MANY)
            yield f"{match['type']} {match['name']}\n"


def _lacking(kind: str, found: Mapping[str, Any]) -> set[str]:
    """Return the types that are needed for ``kind`` and are not there."""
    lacking, seen, waiting = set[str](), set[str](), [kind]
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        if name not in found:
            lacking.add(name)
            continue
        waiting += [other for _, field in found[name][1] for other in references(field)]
    return lacking


def _whole(kind: str, known: Mapping[str, Any]) -> Types:
    """Return a known type with all that it needs."""
    found = Types()
    waiting = [kind]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = known[name]
            waiting += [other for _, field in known[name][1] for other in references(field)]
    return found


def _check(found: Types) -> None:
    """Check names and size: the library makes Python code of both."""
    for name, (_, fields) in found.items():
        types = [name, *(ref for _, kind in fields for ref in references(kind))]
        names = [field for field, _ in fields]
        if not (all(map(_TYPE.fullmatch, types)) and all(map(_FIELD.fullmatch, names))):
            raise ValueError("a name in it is not valid")
        if len(set(names)) < len(names):
            raise ValueError(f"{name} has a field twice")
    if sum(_places(kind) for _, fields in found.values() for _, kind in fields) > MAX_FIELDS:
        raise ValueError(_TOO_MANY)


def _places(kind: Any) -> int:
    """Return for how many values the library makes code; numbers in an array are one."""
    what, inner = kind
    if what != Nodetype.ARRAY:
        return 1
    (of, name), count = inner
    return 1 if of == Nodetype.BASE and name[0] not in ("string", "wstring") else int(count)
