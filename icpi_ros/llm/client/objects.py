"""JSON objects in the text of a reply, with every pair that they hold."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from icpi_ros.llm.client.thinking import UnfinishedThought, after_thoughts

MAX_STARTS = 200
"""Most places of a text at which an object is looked for."""
MAX_REPLY = 20_000
"""Longest answer, after the thinking, that is searched for numbers [characters]."""
_PADDED = re.compile(r"(?<![\w.+-])(?:\+|(-)?(?=0))(?:0*+([1-9][0-9]*+)|(0)0*+)(?![\w.])")
"""Integer as JSON has none: with a plus, or with zeros before it."""


class Pairs(tuple[tuple[str, Any], ...]):
    """The pairs of a JSON object in their order: a key that comes twice stays twice."""


@dataclass(frozen=True)
class FoundObjects:
    """The JSON objects of a text that are not part of others.

    Attributes:
        objects: in the order of the text; integers and decimals in them are texts.
        rest: the text without them.
        at_end: whether the last one is the last thing in the text, but for a closing fence.
    """

    objects: tuple[Pairs, ...]
    rest: str
    at_end: bool

    def values(self, key: str) -> Iterator[Any]:
        """Yield the values of a key at any depth, however it is capitalised."""
        left: list[Any] = list(reversed(self.objects))
        while left:
            value = left.pop()
            if isinstance(value, Pairs):
                yield from (inner for name, inner in value if name.strip().casefold() == key)
                left += [inner for name, inner in reversed(value)]
            elif isinstance(value, list):
                left += reversed(value)


def find_objects(text: str) -> FoundObjects:
    """Return the JSON objects in a text.

    Numbers written as in a prompt (+0050) are no JSON, but meant.
    """
    text = _plain(text)
    found: list[Pairs] = []
    rest: list[str] = []
    end, start = 0, text.find("{")
    for _ in range(MAX_STARTS):
        if start < 0:
            break
        try:
            value, after = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            start = text.find("{", start + 1)
            continue
        found.append(value)
        rest.append(text[end:start])
        end, start = after, text.find("{", after)
    rest.append(text[end:])
    return FoundObjects(tuple(found), "".join(rest), bool(found) and end == len(text))


_DECODER = json.JSONDecoder(
    object_pairs_hook=Pairs, parse_int=str, parse_float=str, parse_constant=str
)


def ends_whole(reply: str) -> bool:
    """Return whether JSON is the last thing in a reply that was cut off: an object, or a list."""
    try:
        text = after_thoughts(reply)
    except UnfinishedThought:
        return False
    if len(text) > MAX_REPLY:
        return False
    if find_objects(text).at_end:
        return True
    try:
        return isinstance(json.loads(_plain(text)), list)
    except (ValueError, RecursionError):
        return False


def _plain(text: str) -> str:
    """Return a text with numbers as JSON writes them, without a code fence around it."""
    bare = text.strip().removesuffix("```").removeprefix("```json").removeprefix("```").strip()
    return _PADDED.sub(r"\1\2\3", bare)
