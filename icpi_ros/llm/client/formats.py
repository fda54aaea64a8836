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
    """Formats of a reply, best first; the first and third are llama.cpp's own.

    ``grammar`` allows no free white space, which small models write without end; nothing tells
    whether a server obeys it, so it is tried only where an entry of models.yaml names it.
    """

    GRAMMAR = "grammar"
    JSON_SCHEMA = "json_schema"
    JSON_OBJECT_SCHEMA = "json_object+schema"
    JSON_OBJECT = "json_object"
    TEXT = "text"


ALL_FORMATS = tuple(ReplyFormat)
FORMATS = ALL_FORMATS[1:]
"""Formats to try where nothing is known of a server."""
FALLBACK_STATUS = frozenset({400, 415, 422, 500, 501})
"""HTTP statuses with which servers refuse a format that they do not know."""
MAX_DIGITS = 15
"""Of an integer in a grammar, where no largest one is known."""
TRANSIENT_STATUS = 500
"""The one of them that can also pass: it must come twice."""


def response_format(
    reply_format: ReplyFormat, numbers: int, largest: int | None = None
) -> dict[str, Any]:
    """Return the fields of a request that ask for one format of the reply."""
    if reply_format == ReplyFormat.GRAMMAR:
        return {"grammar": reply_grammar(numbers, largest)}
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


def reply_grammar(numbers: int, largest: int | None = None) -> str:
    """Return ``{"output":[integers]}`` in the notation of llama.cpp (GBNF), blanks left out.

    No integer has more digits than ``largest``: small models would go on without end.
    """
    listed = ' "," '.join(["integer"] * numbers)
    more = MAX_DIGITS if largest is None else len(str(largest))
    integer = f'integer ::= "-"? ("0" | [1-9] [0-9]{{0,{more - 1}}})'
    return f'root ::= "{{\\"output\\":[" {listed} "]}}"\n{integer}\n'


class WorkingFormats:
    """Abilities of servers by endpoint and model: paths, formats, several choices, bare completion.

    It is used from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._several: dict[tuple[str, str], bool] = {}
        self._worked: dict[tuple[str, str], ReplyFormat] = {}
        self._completes: dict[tuple[str, str], bool] = {}
        self._tells: dict[tuple[str, str], bool] = {}
        self._bases: dict[str, str] = {}

    def found_base(self, given: str, base: str) -> None:
        """Remember the base URL under which a server has its paths, by the one that was given."""
        with self._lock:
            self._bases[given] = base

    def base(self, given: str) -> str | None:
        """Return the base URL that was found for the one that was given; None = not known."""
        with self._lock:
            return self._bases.get(given)

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
            if ALL_FORMATS.index(reply_format) < ALL_FORMATS.index(known):
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

    def found_completing(self, endpoint: str, model: str, completes: bool) -> None:
        """Remember whether bare lines are completed; one refusal does not undo that."""
        with self._lock:
            known = self._completes.get((endpoint, model), False)
            self._completes[endpoint, model] = completes or known

    def completes(self, endpoint: str, model: str) -> bool | None:
        """Return whether bare lines are completed; None = not known."""
        with self._lock:
            return self._completes.get((endpoint, model))

    def found_logprobs(self, endpoint: str, model: str, tells: bool) -> None:
        """Remember whether probabilities of tokens are told; one refusal does not undo that."""
        with self._lock:
            self._tells[endpoint, model] = tells or self._tells.get((endpoint, model), False)

    def logprobs(self, endpoint: str, model: str) -> bool | None:
        """Return whether probabilities of tokens are told; None = not known."""
        with self._lock:
            return self._tells.get((endpoint, model))

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._bases.clear()
            self._tells.clear()
            self._completes.clear()
            self._worked.clear()
            self._several.clear()


@functools.cache
def working_formats() -> WorkingFormats:
    """Return the formats that worked in this process."""
    return WorkingFormats()
