"""What went wrong on the wire: one line for the user, and whether to try again."""

from __future__ import annotations

import math
import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from icpi_ros.llm.client.wire import UnusableBody

RETRY_STATUS = (408, 409, 429)
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 8.0
_ADVICE = {
    400: "check the option model and what models.yaml says that it supports",
    404: "check the model's name and the base URL (most end in /v1)",
}
_REDIRECT = "redirects are not followed, set the base URL to where the server really is"


@dataclass(frozen=True)
class Failure:
    """One failed attempt.

    Attributes:
        line: what happened and, if the user can mend it, what to set; never holds a key.
        retry: True if the same request may succeed later.
        retry_after: pause that the server asked for [s]; None = it did not.
        status: HTTP status; 0 = no response.
        lost: True if the server may have worked on the request, at a price that it did not tell.
    """

    line: str
    retry: bool = False
    retry_after: float | None = None
    status: int = 0
    lost: bool = False


def classify(exc: Exception, endpoint: str, model: str, key_variable: str) -> Failure:
    """Turn an exception of the openai client into a failure.

    The server's own text is left out: it can repeat the key or the prompt.
    """
    import openai

    if isinstance(exc, openai.APIStatusError):
        return _classify_status(exc, endpoint, model, key_variable)
    for error in (exc, exc.__cause__):
        if isinstance(error, UnusableBody):
            return Failure(f"{endpoint} {error}", lost=True)
    if isinstance(exc, openai.APIConnectionError):
        return _classify_connection(exc, endpoint)
    return Failure(f"the request to {endpoint} failed with {type(exc).__name__}", lost=True)


def _classify_connection(exc: Exception, endpoint: str) -> Failure:
    cause = type(exc.__cause__).__name__ if exc.__cause__ else "no connection"
    if cause.startswith("Connect"):
        return Failure(f"cannot reach {endpoint} ({cause}): is it running?", retry=True)
    return Failure(f"lost the connection to {endpoint} ({cause})", retry=True, lost=True)


def _classify_status(exc: Any, endpoint: str, model: str, key_variable: str) -> Failure:
    status = int(exc.status_code)
    line = f"{endpoint} answered HTTP {status}"
    if status in (401, 403):
        line += f": the key in {key_variable} was not accepted, set a valid one"
        return Failure(line, status=status)
    if status == 429 and getattr(exc, "code", None) == "insufficient_quota":
        line += f": the account of the key in {key_variable} has no quota left"
        return Failure(line, status=status)
    if status in RETRY_STATUS or status >= 500:
        after = read_retry_after(exc.response.headers.get("retry-after"))
        return Failure(line, retry=True, retry_after=after, status=status)
    advice = _REDIRECT if status < 400 else _ADVICE.get(status, "not worth a retry")
    return Failure(f"{line} for model {model}: {advice}", status=status)


def read_retry_after(value: str | None) -> float | None:
    """Return the seconds of a ``Retry-After`` header: a number or an HTTP date."""
    if value is None:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - time.time()
        except (TypeError, ValueError, OverflowError):
            return None
    return max(seconds, 0.0) if math.isfinite(seconds) else None


def pause(attempt: int, retry_after: float | None) -> float:
    """Return how long to wait before the next attempt [s].

    At least what the server asked for, else 0.5 s doubling up to 8 s; jitter takes up to half
    off, so that clients do not come back all at once.
    """
    if retry_after is not None:
        return retry_after + random.uniform(0.0, 0.1)
    return min(_FIRST_PAUSE * 2.0**attempt, _LONGEST_PAUSE) * random.uniform(0.5, 1.0)
