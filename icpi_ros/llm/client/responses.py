"""Responses of a Chat Completions server taken apart: replies, and failures as one line each."""

from __future__ import annotations

import json
import math
import random
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, TypeGuard

from icpi_ros.llm.client.wire import UnusableBody

_MAX_NAME = 200


class Unreadable(Exception):
    """A response without choices; the text continues "<endpoint> ..."."""


@dataclass(frozen=True)
class Tokens:
    """Tokens that a call was billed for.

    Attributes:
        prompt: tokens of the prompt.
        completion: tokens of the reply.
        cached: part of ``prompt`` that the server had cached.
    """

    prompt: int = 0
    completion: int = 0
    cached: int = 0


@dataclass(frozen=True)
class Reply:
    """One response.

    Attributes:
        texts: contents of the usable choices.
        choices: number of choices, usable or not.
        faults: of choices, one line each.
        model: the model that answered, as the server calls it; None = not reported.
        tokens: None = no usable report of the server.
    """

    texts: tuple[str, ...]
    choices: int
    faults: tuple[str, ...] = ()
    model: str | None = None
    tokens: Tokens | None = None


def read_reply(body: bytes) -> Reply:
    """Take a response apart.

    Raises:
        Unreadable: it is no Chat Completions response with at least one choice.
    """
    document = _document(body)
    choices = document.get("choices")
    if not isinstance(choices, list) or not choices:
        raise Unreadable("answered without choices")
    read = [_read_choice(choice) for choice in choices]
    return Reply(
        texts=tuple(text for text, _ in read if text),
        choices=len(choices),
        faults=tuple(fault for _, fault in read if fault),
        model=_name(document.get("model")),
        tokens=_read_usage(document.get("usage")),
    )


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        if not body.strip():
            raise Unreadable("answered with an empty response") from None
        if body.lstrip()[:1] in (b"{", b"["):
            raise Unreadable("answered with unreadable JSON (cut off or broken)") from None
        why = "answered with text that is not JSON: is the base URL right (most end in /v1)?"
        raise Unreadable(why) from None
    if not isinstance(document, dict):
        raise Unreadable("answered with JSON that is not an object")
    return document


def _read_choice(choice: Any) -> tuple[str | None, str | None]:
    """Return a choice's text, or None and what is wrong with it."""
    choice = choice if isinstance(choice, dict) else {}
    message = choice.get("message")
    message = message if isinstance(message, dict) else {}
    content, reason = message.get("content"), choice.get("finish_reason")
    if message.get("refusal"):
        return None, "refused: the model declined to answer"
    if not isinstance(content, str) or not content.strip():
        known = isinstance(reason, str) and reason.isidentifier() and len(reason) < 40
        return None, "answered without text" + (f" (finish_reason {reason})" if known else "")
    if reason == "length" and not set(content) & set("]}"):
        # The last number of such a text may lack digits.
        return None, "cut a reply off at the token limit"
    return content, None


def _name(value: Any) -> str | None:
    """Return the name of a model as one short line; None where it is none."""
    return " ".join(value.split())[:_MAX_NAME] or None if isinstance(value, str) else None


def _read_usage(usage: Any) -> Tokens | None:
    """Return the token counts; None unless both that matter are numbers that can be."""
    if not isinstance(usage, dict):
        return None
    prompt, completion = usage.get("prompt_tokens"), usage.get("completion_tokens")
    if not (_is_count(prompt) and _is_count(completion)):
        return None
    details = usage.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, dict) else 0
    return Tokens(prompt, completion, min(cached, prompt) if _is_count(cached) else 0)


def _is_count(value: Any) -> TypeGuard[int]:
    """Return whether a value is a believable number of tokens."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**9


RETRY_STATUS = (408, 409, 429)
_FIRST_PAUSE, _MAX_PAUSE = 0.5, 8.0
_ADVICE = {
    400: "check the option model and what models.yaml says that it supports",
    404: "check the model's name and the base URL (most end in /v1)",
}
_REDIRECT = "redirects are not followed, set the base URL to where the server really is"


@dataclass(frozen=True)
class Failure:
    """One failed attempt.

    Attributes:
        line: the failure and, if the user can fix it, the setting; never holds a key.
        retry: True if the same request may succeed later.
        retry_after: pause that the server asked for [s]; None = it did not.
        status: HTTP status; 0 = no response.
        lost: True if the server may have worked on the request, at a price that it did not report.
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
    """Return the pause before the next attempt [s].

    At least what the server asked for, else 0.5 s doubling up to 8 s; jitter takes up to half
    off, so that clients do not come back all at once.
    """
    if retry_after is not None:
        return retry_after + random.uniform(0.0, 0.1)
    return min(_FIRST_PAUSE * 2.0**attempt, _MAX_PAUSE) * random.uniform(0.5, 1.0)
