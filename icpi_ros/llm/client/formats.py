"""Reply formats and their fallbacks, from a JSON schema down to plain text.

Servers differ in the formats they support and refuse the others with any of several statuses, so
the best format is tried first and a working one is remembered for the rest of the process.
"""

from __future__ import annotations

import functools
import threading
from enum import StrEnum
from typing import Any


class ReplyFormat(StrEnum):
    """Formats of a reply, best first; the second is how llama.cpp spells the first."""

    JSON_SCHEMA = "json_schema"
    JSON_OBJECT_SCHEMA = "json_object+schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"


FORMATS = tuple(ReplyFormat)
FALLBACK_STATUS = frozenset({400, 415, 422, 500, 501})
"""HTTP statuses with which servers refuse a format that they do not know."""
TRANSIENT_STATUS = 500
"""The one of them that can also pass: it must come twice."""


def response_format(
    reply_format: ReplyFormat, numbers: int, largest: int | None = None
) -> dict[str, Any]:
    """Return the fields of a request that ask for one format of the reply."""
    if reply_format == ReplyFormat.JSON_SCHEMA:
        schema = {"name": "output", "strict": True, "schema": reply_schema(numbers, largest)}
        return {"response_format": {"type": reply_format, "json_schema": schema}}
    if reply_format == ReplyFormat.JSON_OBJECT_SCHEMA:
        return {
            "response_format": {"type": "json_object", "schema": reply_schema(numbers, largest)}
        }
    return (
        {"response_format": {"type": reply_format}}
        if reply_format == ReplyFormat.JSON_OBJECT
        else {}
    )


def reply_schema(numbers: int, largest: int | None = None) -> dict[str, Any]:
    """Return the JSON schema of ``{"output": [integers]}``, ``largest`` with either sign."""
    bounds = {} if largest is None else {"minimum": -largest, "maximum": largest}
    output = {
        "type": "array",
        "items": {"type": "integer"} | bounds,
        "minItems": numbers,
        "maxItems": numbers,
    }
    return {
        "type": "object",
        "properties": {"output": output},
        "required": ["output"],
        "additionalProperties": False,
    }


class WorkingFormats:
    """Formats that worked, and who gives one choice only, by endpoint and model.

    It is used from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._several: dict[tuple[str, str], bool] = {}
        self._worked: dict[tuple[str, str], ReplyFormat] = {}

    def to_try(
        self, endpoint: str, model: str, formats: tuple[ReplyFormat, ...]
    ) -> tuple[ReplyFormat, ...]:
        """Return the formats to try, best first: one if it is known what works."""
        with self._lock:
            known = self._worked.get((endpoint, model))
        return (known,) if known in formats else formats

    def worked(self, endpoint: str, model: str, reply_format: ReplyFormat) -> None:
        """Remember a format that was answered; a better one is not given up for a worse."""
        with self._lock:
            known = self._worked.setdefault((endpoint, model), reply_format)
            if FORMATS.index(reply_format) < FORMATS.index(known):
                self._worked[endpoint, model] = reply_format

    def found_single(self, endpoint: str, model: str) -> None:
        """Remember that a request for several choices is refused."""
        with self._lock:
            self._several[endpoint, model] = False

    def found_several(self, endpoint: str, model: str) -> None:
        """Remember that a request for several choices was answered with several."""
        with self._lock:
            self._several[endpoint, model] = True

    def several(self, endpoint: str, model: str) -> bool | None:
        """Return whether several choices may be asked for at once; None = not known."""
        with self._lock:
            return self._several.get((endpoint, model))

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._worked.clear()
            self._several.clear()


@functools.cache
def working_formats() -> WorkingFormats:
    """Return the formats that worked in this process."""
    return WorkingFormats()
