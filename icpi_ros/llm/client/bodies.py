"""Bodies of responses as one JSON document: plain, behind comments, or streamed as events."""

from __future__ import annotations

import json
import re
from typing import Any

_PREFACE = re.compile(r"(?:[ \t]*(?::[^\n]*)?\n)*[ \t]*")
"""Blank lines and comments with which servers keep a connection alive."""
_TRAILER = re.compile(r"\s*(?:data:\s*\[DONE\])?\s*(?::[^\n]*)?")
_EVENT = re.compile(r"(?:data|event|id|retry)[ \t]*:")
_DONE = "[DONE]"
BROKEN_OFF = "broken_off"
"""Reason of a choice to end that its stream lacks."""
_SINGLE = frozenset(
    {"choices", "message", "delta", "content", "text", "error", "finish_reason", "refusal"}
)
"""Keys of which two in one object would be two answers."""


class Unreadable(Exception):
    """A response without a usable choice; the text continues "<endpoint> ...".

    Attributes:
        status: HTTP status as which it is treated; 200 = none.
        retry: True if the same request may succeed later.
        no_quota: True if an account is used up.
        astray: True if it may come of a path that the server has elsewhere.
        too_long: True if the prompt is longer than the model's context.
    """

    def __init__(
        self,
        line: str,
        status: int = 200,
        retry: bool = False,
        no_quota: bool = False,
        astray: bool = False,
        too_long: bool = False,
    ) -> None:
        super().__init__(line)
        self.status, self.retry, self.no_quota = status, retry, no_quota
        self.astray, self.too_long = astray, too_long


class _TwoAnswers(ValueError):
    """An object with two different values under one key."""


def read_document(body: bytes) -> dict[str, Any]:
    """Return the JSON object of a body; a streamed one is put together.

    Raises:
        Unreadable: there is none.
    """
    text = _decoded(body).replace("\r\n", "\n")
    text = text[_match_end(_PREFACE, text) :]
    if not text.strip() or (text.startswith(":") and "\n" not in text):
        raise Unreadable("answered with an empty response", retry=True)
    try:
        document = _streamed(text) if _EVENT.match(text) else _single(text)
    except _TwoAnswers:
        raise Unreadable("answered with JSON that holds two answers under one key") from None
    except (ValueError, RecursionError):
        if text[:1] in ("{", "[") or _EVENT.match(text):
            raise Unreadable("answered with unreadable JSON (cut off or broken)") from None
        why = "answered with text that is not JSON: is the base URL right (most end in /v1)?"
        raise Unreadable(why, astray=True) from None
    if isinstance(document, list) and len(document) == 1:  # as Google wraps an error
        document = document[0]
    if not isinstance(document, dict):
        raise Unreadable("answered with JSON that is not an object")
    return document


def _decoded(body: bytes) -> str:
    try:
        return body.decode(json.detect_encoding(body)).removeprefix("\ufeff")
    except ValueError:
        raise Unreadable("answered with unreadable JSON (cut off or broken)") from None


def _match_end(pattern: re.Pattern[str], text: str) -> int:
    found = pattern.match(text)
    return found.end() if found else 0


def _single(text: str) -> Any:
    value, end = _DECODER.raw_decode(text)
    if not _TRAILER.fullmatch(text, _match_end(_PREFACE, text[end:]) + end):
        raise ValueError("more than one document")
    return value


def _without_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        for name, value in pairs:
            if name in _SINGLE and value != found[name]:
                raise _TwoAnswers
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_without_twins)


def _streamed(text: str) -> Any:
    """Return the document that server-sent events make up."""
    chunks: list[Any] = []
    ended = False
    for event in re.split(r"\n(?:[ \t]*\n)+", text):
        data = [line[5:].strip() for line in event.split("\n") if line.startswith("data:")]
        ended = ended or _DONE in data
        chunks += _values([piece for piece in data if piece and piece != _DONE])
    return _joined(chunks, ended)


def _values(data: list[str]) -> list[Any]:
    """Return the JSON values of one event: one over all its lines, or one in each."""
    if len(data) > 1:
        try:
            return [_single("\n".join(data))]
        except _TwoAnswers:
            raise
        except ValueError:
            pass
    return [_single(line) for line in data]


def _joined(chunks: list[Any], ended: bool) -> Any:
    """Return chunks as the response that would have come without streaming."""
    whole: dict[str, Any] = {}
    choices: dict[int, dict[str, Any]] = {}
    for chunk in chunks:
        if not isinstance(chunk, dict):
            raise ValueError("an event that is no object")
        whole |= {name: value for name, value in chunk.items() if value is not None}
        some = chunk.get("choices")
        for choice in some if isinstance(some, list) else []:
            if isinstance(choice, dict):
                _add(choices.setdefault(_index(choice), {"message": {}}), choice)
    if "choices" in whole:
        if not ended:  # the stream broke off: whoever is not finished was cut off
            for choice in choices.values():
                choice.setdefault("finish_reason", BROKEN_OFF)
        whole["choices"] = [choices[n] for n in sorted(choices)]
    return whole


def _index(choice: dict[str, Any]) -> int:
    index = choice.get("index")
    return index if isinstance(index, int) else 0


def _add(choice: dict[str, Any], chunk: dict[str, Any]) -> None:
    """Add a chunk of a choice to what came of it before."""
    for name in ("finish_reason", "error"):
        if chunk.get(name) is not None:
            choice[name] = chunk[name]
    for name in ("delta", "message"):
        if isinstance(chunk.get(name), dict):
            _append(choice["message"], chunk[name])
    if chunk.get("text") is not None:
        _append(choice, {"text": chunk["text"]})


def _append(into: dict[str, Any], fields: dict[str, Any]) -> None:
    for name, value in fields.items():
        before = into.get(name)
        if isinstance(before, str) and isinstance(value, str):
            into[name] = before + value
        elif isinstance(before, str | list) and isinstance(value, str | list):
            into[name] = _parts(before) + _parts(value)
        elif value is not None:
            into[name] = value


def _parts(content: str | list[Any]) -> list[Any]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]
