"""The full text of a message type with everything it needs, as bags embed it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from rosbags.typesys import Stores, TypesysError, get_types_from_msg, get_typestore

from icpi_ros.bags.formats.schema import OWN, own_types, references
from icpi_ros.core.errors import UsageError
from icpi_ros.core.resources import share_path

_SEPARATOR = "=" * 80


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
