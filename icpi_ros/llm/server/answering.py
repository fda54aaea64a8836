"""Completed patterns as answers of a model of text or of chats."""

from __future__ import annotations

import hashlib
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from icpi_ros import __version__
from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Array
from icpi_ros.llm.client.token_count import count_tokens, cut
from icpi_ros.llm.prompt.completion import Guess, complete
from icpi_ros.llm.prompt.pattern import Pattern, PatternLines
from icpi_ros.llm.prompt.text import read_prompt
from icpi_ros.llm.prompt.tokens import NumberFormat
from icpi_ros.llm.server.request import MODEL, PatternRequest, Refused

MAX_OUTPUTS = 1000
"""Most numbers of an answer."""
MAX_COUNT = 10**15
"""Largest integer that is answered: exact as a float."""


def respond(body: bytes) -> dict[str, Any]:
    """Return the answer to the body of a request, as a Chat Completions object.

    Raises:
        Refused: there is no answer; the message is the reason.
    """
    request = PatternRequest.chat(body)
    return _object(
        ("chatcmpl", "chat.completion"),
        request,
        answers(request),
        lambda text: {"message": {"role": "assistant", "content": text, "refusal": None}},
    )


def respond_completion(body: bytes) -> dict[str, Any]:
    """Return the answer to the body of a request, as a text completion object: " +0012 -0100".

    Raises:
        Refused: there is no answer; the message is the reason.
    """
    request = PatternRequest.completion(body)
    texts = [f" {text}" for text in answers(request)]
    return _object(("cmpl", "text_completion"), request, texts, lambda text: {"text": text})


def _object(
    kind: tuple[str, str],
    request: PatternRequest,
    texts: list[str],
    told: Callable[[str], dict[str, Any]],
) -> dict[str, Any]:
    """Return OpenAI's object of a ``kind`` (of its id, its own); ``told`` wraps a choice's text."""
    written = [_ended(text, request) for text in texts]
    choices = [
        {"index": n, **told(text), "logprobs": None, "finish_reason": reason}
        for n, (text, reason) in enumerate(written)
    ]
    prefix, name = kind
    return {
        "id": f"{prefix}-{uuid.uuid4().hex}",
        "object": name,
        "created": int(time.time()),
        "model": MODEL,
        "system_fingerprint": f"icpi_ros-{__version__}",
        "choices": choices,
        "usage": _usage(request, [text for text, _ in written]),
    }


def _ended(text: str, request: PatternRequest) -> tuple[str, str]:
    """Return the part of a text that is answered, and the reason of its end."""
    ends = [found for stop in request.stop if (found := text.find(stop)) >= 0]
    whole = text[: min(ends, default=len(text))]
    short = whole if request.limit is None else cut(whole, request.limit)
    return short, "stop" if short == whole else "length"


def answers(request: PatternRequest) -> list[str]:
    """Return the ``n`` whole answers.

    Raises:
        Refused: the prompt has no line to complete, or the model fails.
    """
    try:
        pattern, numbers = read_prompt(request.prompt)
    except InvalidValue as exc:
        raise Refused(str(exc), request.source) from None
    guess = _guess(_fitted(pattern, request))
    draws = _draws(guess, request)
    return [_written(draw, numbers, request.form.key) for draw in draws]


def _fitted(pattern: Pattern, request: PatternRequest) -> Pattern:
    """Return the pattern with as many outputs as the form allows; lines decide, if there are any.

    Raises:
        Refused: the lines have another number of outputs, or there are too many.
    """
    form = request.form
    if form.least and not len(pattern.shared) + len(pattern.own):
        width = form.least
        if width <= MAX_OUTPUTS:
            none = PatternLines(pattern.shared.inputs, np.empty((0, width)))
            pattern = replace(pattern, shared=none, own=none)
    else:
        width = pattern.width
    if width > MAX_OUTPUTS:
        raise Refused(f"{width} outputs: allowed are at most {MAX_OUTPUTS}", request.source)
    if width < form.least or (form.most is not None and width > form.most):
        span = f"{form.least} to {'any' if form.most is None else form.most}"
        message = f"the lines have {width} outputs, the schema allows {span} in {form.key!r}"
        raise Refused(message, "response_format")
    return pattern


def _guess(pattern: Pattern) -> Guess:
    message = "the model failed numerically on this pattern: use numbers of a smaller size"
    try:
        with np.errstate(all="ignore"):
            guess = complete(pattern)
    except np.linalg.LinAlgError:
        raise Refused(message, status=500) from None
    if not (np.isfinite(guess.mean).all() and np.isfinite(guess.std)):
        raise Refused(message, status=500)
    return guess


def _draws(guess: Guess, request: PatternRequest) -> Array:
    """Return the outputs ``(n, q)`` of each choice, scaled."""
    if request.temperature == 0.0:
        return np.tile(guess.mean, (request.n, 1))
    text = hashlib.sha256(request.prompt.encode("utf-8", "surrogatepass")).digest()
    seed = 0 if request.seed is None else request.seed % 2**64 + 1
    rng = np.random.default_rng([seed, *text])
    noise = rng.standard_normal((request.n, len(guess.mean)))
    return np.asarray(guess.mean + request.temperature * guess.std * noise)


def _written(outputs: Array, numbers: NumberFormat, key: str | None) -> str:
    largest = MAX_COUNT * numbers.quantum
    clamped = np.clip(outputs, -largest, largest)
    if key is None:
        return numbers.encode(clamped)
    return json.dumps({key: [round(float(v) * 10**numbers.digits) for v in clamped]})


def _usage(request: PatternRequest, written: list[str]) -> dict[str, Any]:
    completion = sum(map(count_tokens, written))
    return {
        "prompt_tokens": request.tokens,
        "completion_tokens": completion,
        "total_tokens": request.tokens + completion,
        "prompt_tokens_details": {"cached_tokens": 0},
    }
