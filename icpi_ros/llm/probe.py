"""Check that a model can be asked, before anything moves; it costs no token."""

from __future__ import annotations

import asyncio
import time

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.core.redact import watch
from icpi_ros.llm.cassettes.cassette import REPLAY
from icpi_ros.llm.client.endpoint import Endpoint
from icpi_ros.llm.client.failures import Failure, classify
from icpi_ros.llm.client.wire import wire
from icpi_ros.llm.connect import ModelChoice, profile_of

LIMIT = 5.0
"""Longest time for an endpoint to answer [s]."""
TRIES = 2
"""A kept connection may have been closed meanwhile: no reason to give up."""
_DOWN = (502, 503, 504)
"""What a gateway says of a server that is not there, and a server that still loads its model."""


def require_answer(choice: ModelChoice, deadline: float) -> None:
    """Check that the key is set, the endpoint answers and does not refuse the key.

    It is asked for its list of models, of which nothing is read: one without such a list answers
    as well.  A cassette that is only replayed needs neither key nor endpoint.

    Args:
        choice: which model is asked, and how.
        deadline: of one proposal [s]; the check takes no longer, and never above :data:`LIMIT`.

    Raises:
        CompletionFailed: what is missing and what to do, in one line without the key.
    """
    if choice.cassette and choice.cassette_mode == REPLAY:
        return
    endpoint = Endpoint.of(profile_of(choice))
    watch(endpoint.profile.key_variable)
    why = _missing(endpoint) or _no_answer(endpoint, min(deadline, LIMIT))
    if why:
        raise CompletionFailed(why)


def _missing(endpoint: Endpoint) -> str:
    try:
        endpoint.check()
    except CompletionFailed as exc:  # not raised on: the frames of its traceback hold the key
        return str(exc)
    return ""


def _no_answer(endpoint: Endpoint, limit: float) -> str:
    """Return why the endpoint cannot be asked; empty = it can."""
    until = time.monotonic() + limit
    try:
        return wire().run(_refusal(endpoint, until), until)
    except TimeoutError:
        return f"no answer from {endpoint.shown} within {limit:g} s: is it running?"


async def _refusal(endpoint: Endpoint, until: float) -> str:
    failure = None
    async with asyncio.timeout(until - time.monotonic()):
        for _ in range(TRIES):
            failure = await _failure(endpoint)
            if failure is None or failure.status:
                break
    return failure.line if failure is not None and _is_refusal(failure.status) else ""


async def _failure(endpoint: Endpoint) -> Failure | None:
    try:
        await endpoint.list_models()
    except Exception as exc:
        profile = endpoint.profile
        return classify(exc, endpoint.shown, profile.model, profile.key_variable)
    return None


def _is_refusal(status: int) -> bool:
    """Tell whether a failure to list the models means that a completion would fail, too."""
    return status in (0, 401, 403, *_DOWN) or 300 <= status < 400
