"""Redaction: keys kept out of everything that is stored, logged or shown.

Keys come from the environment and stay there.  An error text of a server ("Incorrect API key
provided: sk-...") or a prompt can repeat one by accident, so every text passes here before it
reaches the disk.
"""

from __future__ import annotations

import html
import json
import os
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"

SUFFIXES = ("_API_KEY", "_TOKEN")
_SUFFIXES = tuple(map(str.encode, SUFFIXES))
MIN_LENGTH = 8
"""Shorter values ("EMPTY", "none", "user") are placeholders or words, never taken for keys."""
_watched: set[str] = set()


def watch(variable: object) -> None:
    """Treat one more environment variable as a key from now on; anything but a name is ignored."""
    if isinstance(variable, str):
        _watched.add(variable)


def secrets() -> dict[str, str]:
    """Return the keys of the environment: variable name to value, longest value first.

    Values come without surrounding blanks, as clients send them.
    """
    names = [os.fsdecode(name) for name in os.environb if name.upper().endswith(_SUFFIXES)]
    names += [name for name in _watched if name not in names]
    found = {name: os.environ.get(name, "").strip() for name in names}
    long = [item for item in found.items() if len(item[1]) >= MIN_LENGTH]
    return dict(sorted(long, key=lambda item: -len(item[1])))


def redact_text(text: str) -> str:
    """Return ``text`` with every key of the environment replaced by the variable's name."""
    return _without(_written(), text)


def redact_texts(texts: Sequence[str]) -> list[str]:
    """Return several texts with :func:`redact_text` applied, at the price of one."""
    written = _written()
    return [_without(written, text) for text in texts]


def redact(value: Json) -> Json:
    """Return a JSON-able ``value`` with :func:`redact_text` applied to every text in it."""
    return _redacted(_written(), value)


def leaked(value: Json) -> str:
    """Return the name of an environment variable whose key a JSON-able ``value`` holds, or ''."""
    return _held(_written(), value)


_Written: TypeAlias = Sequence[tuple[str, str]]
"""Every form in which a key may stand in a text, and its variable; looked up once per call."""


def _written() -> _Written:
    return [(form, name) for name, key in secrets().items() for form in _forms(key)]


def _forms(key: str) -> Sequence[str]:
    """Return the forms of a key in a text: as it is, in JSON, in JSON within JSON, in HTML."""
    if key.isalnum():
        return (key,)
    once = json.dumps(key)[1:-1]
    plain = json.dumps(key, ensure_ascii=False)[1:-1]
    forms = {key, once, plain, json.dumps(once)[1:-1], html.escape(key), html.escape(once)}
    return sorted(forms, key=len, reverse=True)


def _without(written: _Written, text: str) -> str:
    for form, name in written:
        text = text.replace(form, f"[{name} removed]")
    return text


def _redacted(written: _Written, value: Json) -> Json:
    if isinstance(value, str):
        return _without(written, value)
    if isinstance(value, dict):
        return {_without(written, k): _redacted(written, v) for k, v in value.items()}
    if isinstance(value, list):
        return [_redacted(written, v) for v in value]
    return value


def _held(written: _Written, value: Json) -> str:
    if isinstance(value, str):
        return next((name for form, name in written if form in value), "")
    if isinstance(value, dict):
        return next(filter(None, (_held(written, v) for kv in value.items() for v in kv)), "")
    if isinstance(value, list):
        return next(filter(None, (_held(written, v) for v in value)), "")
    return ""


def jsonable(value: object) -> Json:
    """Return ``value`` as standard JSON types.

    Arrays become lists, numbers that are not finite become None (JSON has no NaN), anything
    else unknown becomes its text.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float | np.floating):
        return float(value) if np.isfinite(value) else None
    if isinstance(value, np.generic | np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, Mapping):
        return {str(k): jsonable(v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [jsonable(v) for v in value]
    return str(value)
