"""Definitions of messages: decoders by those that a bag embeds, and the texts that it embeds.

A text is that of a message type with everything it needs.  Our own definitions decode what is not
described in a bag.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from rosbags.typesys import (
    Stores,
    TypesysError,
    get_types_from_msg,
    get_typestore,
)

from icpi_ros.bags.formats.embedded import embedded_types, references
from icpi_ros.bags.formats.raw import Channel, why
from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.core.resources import share_path

_SEPARATOR = "=" * 80
OWN = "icpi_msgs"
Decode = Callable[[bytes], Any]


class Decoder(NamedTuple):
    """Function that turns serialised bytes of a channel into a message.

    Messages are objects with the fields of the type; arrays of numbers are numpy arrays.  The
    function raises whatever the bytes make it stumble over.

    Attributes:
        decode: the function.
        remark: about a definition that is not whole; "" = it is.
    """

    decode: Decode
    remark: str = ""


@lru_cache(maxsize=256)
def decoder(channel: Channel) -> Decoder:
    """Return the decoder of a channel.

    Raises:
        UsageError: the type is not known, or its definition cannot be read.
    """
    if channel.encoding != "cdr":
        raise UsageError(f"{channel.topic}: encoding {channel.encoding[:40]!r} is not cdr")
    remark, store = "", own_types()
    if channel.definition.strip():
        store, remark = _embedded(channel)
    if channel.kind not in store.types:
        raise UsageError(
            f"{channel.topic}: type {channel.kind[:60]!r} is neither described in the bag nor known"
        )

    def decode(data: bytes) -> Any:
        return store.deserialize_cdr(memoryview(data), channel.kind)  # of bytes it makes a copy

    return Decoder(decode, remark)


def _embedded(channel: Channel) -> tuple[Any, str]:
    """Return a store of the types of a channel's definition and a remark about it, a line.

    Raises:
        UsageError: it cannot be read.
    """
    what = f"{channel.topic}: the definition of {channel.kind[:60]!r}"
    try:
        types, remark = embedded_types(channel, own_types().fielddefs)
        store = get_typestore(Stores.EMPTY)
        store.register(types)
    except Exception as exc:  # damaged bytes: whatever parsers stumble over
        raise UsageError(f"{what} cannot be read: {why(exc)}") from exc
    return store, remark and f"{what}: {remark}"


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
    store, _ = _embedded(channel)
    try:
        return str(store.hash_rihs01(channel.kind))
    except Exception as exc:  # names that a definition may have, and the hash may not
        raise UsageError(f"{channel.topic}: its definition cannot be read: {why(exc)}") from exc


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
