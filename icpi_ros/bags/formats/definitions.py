"""Definitions of messages: decoders by those that a bag embeds, and the texts that it embeds.

A text is that of a message type with everything it needs.  Our own definitions decode what is not
described in a bag.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from rosbags.interfaces import Nodetype
from rosbags.typesys import (
    Stores,
    TypesysError,
    get_types_from_idl,
    get_types_from_msg,
    get_typestore,
)

from icpi_ros.bags.formats.raw import Channel, why
from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.core.resources import share_path

_SEPARATOR = "=" * 80
MAX_DEFINITION = 2**18
"""Longest embedded definition that is parsed [characters]; the longest standard ones have 10 k."""
MAX_FIELDS = 2000
"""Fields of all types of a definition together, elements of fixed arrays of messages included."""
OWN = "icpi_msgs"
_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(/[A-Za-z][A-Za-z0-9_]*){1,2}")
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_IDL = "=" * 80 + "\n"

Decode = Callable[[bytes], Any]


@lru_cache(maxsize=256)
def decoder(channel: Channel) -> Decode:
    """Return the function that turns serialised bytes of a channel into a message.

    Messages are objects with the fields of the type; arrays of numbers are numpy arrays.  The
    function raises whatever the bytes make it stumble over.

    Raises:
        UsageError: the type is not known, or its definition cannot be read.
    """
    if channel.encoding != "cdr":
        raise UsageError(f"{channel.topic}: encoding {channel.encoding[:40]!r} is not cdr")
    store = get_typestore(Stores.EMPTY) if channel.definition else own_types()
    if channel.definition:
        try:
            store.register(_types(channel))
        except Exception as exc:  # damaged bytes: whatever parsers stumble over
            raise UsageError(
                f"{channel.topic}: the definition of {channel.kind[:60]!r} cannot be read: "
                f"{why(exc)}"
            ) from exc
    if channel.kind not in store.types:
        raise UsageError(
            f"{channel.topic}: type {channel.kind[:60]!r} is neither described in the bag nor known"
        )

    def decode(data: bytes) -> Any:
        return store.deserialize_cdr(data, channel.kind)

    return decode


@lru_cache(maxsize=1)
def own_types() -> Any:
    """Return a store of the standard types of Jazzy and those of this project."""
    store = get_typestore(Stores.ROS2_JAZZY)
    folder = share_path(f"{OWN}/msg")
    found: dict[str, Any] = {}
    for path in sorted(folder.glob("*.msg")):
        found |= get_types_from_msg(path.read_text(encoding="utf-8"), f"{OWN}/msg/{path.stem}")
    if not found:
        raise IcpiError(f"no message definitions in {folder}: install the package again")
    store.register(found)
    return store


def digest(channel: Channel) -> str:
    """Return the hash (``RIHS01_...``) of the definition that is embedded for a channel.

    Raises:
        UsageError: it cannot be read.
    """
    store = get_typestore(Stores.EMPTY)
    try:
        store.register(_types(channel))
        return str(store.hash_rihs01(channel.kind))
    except Exception as exc:  # damaged bytes: whatever parsers stumble over
        raise UsageError(f"{channel.topic}: its definition cannot be read: {why(exc)}") from exc


def _types(channel: Channel) -> dict[str, Any]:
    text = channel.definition
    if len(text) > MAX_DEFINITION:
        raise ValueError(f"it is longer than {MAX_DEFINITION} characters")
    if channel.language != "ros2idl":
        found = get_types_from_msg(text, channel.kind)
    else:
        found = {}
        for part in filter(None, text.split(_IDL)):
            body = part.split("\n", 1)[-1] if part.startswith("IDL: ") else part
            found |= get_types_from_idl(body)
    # The library makes Python code of the names: only names may pass.  Constants are not needed.
    for name, (_, fields) in found.items():
        types = [name, *(ref for _, kind in fields for ref in references(kind))]
        names = [field for field, _ in fields]
        if not (all(map(_TYPE.fullmatch, types)) and all(map(_FIELD.fullmatch, names))):
            raise ValueError("a name in it is not valid")
    if sum(_places(kind) for _, fields in found.values() for _, kind in fields) > MAX_FIELDS:
        raise ValueError(f"it has more than {MAX_FIELDS} fields")
    return {name: ([], fields) for name, (_, fields) in found.items()}


def _places(kind: Any) -> int:
    """Return for how many values the library makes code; numbers in an array are one."""
    what, inner = kind
    if what != Nodetype.ARRAY:
        return 1
    (of, name), count = inner
    return 1 if of == Nodetype.BASE and name[0] not in ("string", "wstring") else int(count)


def references(kind: Any) -> list[str]:
    """Return the names of other types in the description of a field."""
    what, inner = kind
    if what in (Nodetype.ARRAY, Nodetype.SEQUENCE):
        return references(inner[0])
    return [inner] if what == Nodetype.NAME else []


@dataclass(frozen=True)
class Definition:
    """A message type: its name, the text to embed, and its hash (``RIHS01_...``)."""

    kind: str
    text: str
    digest: str


@lru_cache(maxsize=256)
def definition(kind: str) -> Definition:
    """Return the definition of a type such as ``icpi_msgs/msg/Trial``.

    The text is that of the installed .msg files, comments and units included; a type that is not
    installed is written out of the types that the core knows.

    Raises:
        UsageError: the type is not known at all.
    """
    texts = _texts(kind)
    store = get_typestore(Stores.EMPTY)
    for name, text in texts.items():
        store.register(get_types_from_msg(text, name))
    first, *others = texts.items()
    parts = [first[1].rstrip() + "\n"]
    for name, text in others:
        short = name.replace("/msg/", "/")
        parts.append(f"{_SEPARATOR}\nMSG: {short}\n{text.rstrip()}\n")
    return Definition(kind, "".join(parts), str(store.hash_rihs01(kind)))


def _texts(kind: str) -> dict[str, str]:
    """Return the texts of a type and of all that it needs, by name; its own comes first."""
    found: dict[str, str] = {}
    waiting = [kind]
    while waiting:
        name = waiting.pop(0)
        if name in found:
            continue
        found[name] = _text(name)
        (_, fields), *_ = get_types_from_msg(found[name], name).values()
        waiting += [other for _, field in fields for other in references(field)]
    return found


def _text(kind: str) -> str:
    package, _, name = kind.partition("/msg/")
    places = [prefix / "share" / package / "msg" for prefix in _prefixes()]
    if package == OWN:
        places.append(share_path(f"{OWN}/msg"))
    for place in places:
        path = place / f"{name}.msg"
        if path.is_file():
            return path.read_text(encoding="utf-8")
    try:
        text, _ = own_types().generate_msgdef(kind, ros_version=2)
    except TypesysError as exc:
        raise UsageError(f"message type {kind!r} is not known: is it installed?") from exc
    return str(text).split(_SEPARATOR, 1)[0]


def _prefixes() -> list[Path]:
    named = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    return [*(Path(prefix) for prefix in named if prefix), Path(sys.prefix)]
