"""The ladder of reply formats, from a JSON schema down to plain text.

Servers differ in what they can be held to and tell so with any of several statuses, so the best
format is tried first and what worked is remembered for the rest of the process.
"""

from __future__ import annotations

import functools
import threading
from typing import Any

LADDER = ("json_schema", "json_object+schema", "json_object", "text")
"""Formats of a reply, best first; the second is how llama.cpp spells the first."""
FALL_STATUS = frozenset({400, 415, 422, 500, 501})
"""What servers say to a format that they do not know; 500 can also pass, so it must come twice."""
PASSING = 500


def response_format(rung: str, numbers: int) -> dict[str, Any]:
    """Return the fields of a request that ask for one rung of the ladder."""
    if rung == "json_schema":
        schema = {"name": "output", "strict": True, "schema": reply_schema(numbers)}
        return {"response_format": {"type": rung, "json_schema": schema}}
    if rung == "json_object+schema":
        return {"response_format": {"type": "json_object", "schema": reply_schema(numbers)}}
    return {"response_format": {"type": rung}} if rung == "json_object" else {}


def reply_schema(numbers: int) -> dict[str, Any]:
    """Return the JSON schema of ``{"output": [integers]}``."""
    output = {
        "type": "array",
        "items": {"type": "integer"},
        "minItems": numbers,
        "maxItems": numbers,
    }
    return {
        "type": "object",
        "properties": {"output": output},
        "required": ["output"],
        "additionalProperties": False,
    }


class Experience:
    """Which format worked for which model of which endpoint; used from any thread."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._lock = threading.Lock()
        self._worked: dict[tuple[str, str], str] = {}

    def rungs(self, endpoint: str, model: str, formats: tuple[str, ...]) -> tuple[str, ...]:
        """Return the formats to try, best first: one if it is known what works."""
        with self._lock:
            known = self._worked.get((endpoint, model))
        return (known,) if known in formats else formats

    def worked(self, endpoint: str, model: str, rung: str) -> None:
        """Remember a format that was answered; a better one is not given up for a worse."""
        with self._lock:
            known = self._worked.setdefault((endpoint, model), rung)
            if LADDER.index(rung) < LADDER.index(known):
                self._worked[endpoint, model] = rung

    def forget(self) -> None:
        """Begin anew."""
        with self._lock:
            self._worked.clear()


@functools.cache
def experience() -> Experience:
    """Return what this process has learnt."""
    return Experience()
