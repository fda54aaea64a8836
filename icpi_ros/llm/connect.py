"""From names to a completer: profile, client, cassette, and the check that the model answers."""

from __future__ import annotations

import asyncio
import socket
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from icpi_ros.core.errors import CompletionFailed, UsageError
from icpi_ros.core.redact import watch
from icpi_ros.llm.cassettes.cassette import AUTO, REPLAY, Cassette, RecordedCompleter
from icpi_ros.llm.client.budget import Meter
from icpi_ros.llm.client.completer import Completer, Wire
from icpi_ros.llm.client.connections import connections
from icpi_ros.llm.client.endpoint import Endpoint
from icpi_ros.llm.client.openai_chat import OpenAIChat
from icpi_ros.llm.client.profile import Profile, find_profile
from icpi_ros.llm.client.responses import Failure, classify

LOCAL_MODEL = "icpi-in-context"
"""The stand-in of `icpi serve`."""
_STARTS = {
    LOCAL_MODEL: "`icpi serve`",
    "icpi-local": "`icpi serve --weights PACKAGE|FILE.gguf`",
}
"""Commands that start a model of this package."""
CONNECT_TIMEOUT = 1.0
"""Time for a server of this machine to accept [s]."""


@dataclass(frozen=True)
class ModelChoice:
    """Choice of a model, its endpoint and its cassette.

    Attributes:
        model: entry of models.yaml, or a name on the wire; empty = environment variable
            ICPI_MODEL.
        models: file with entries of one's own; empty = environment variable ICPI_MODELS.
        base_url: empty = the entry's, else OPENAI_BASE_URL, else OpenAI's.
        key_variable: environment variable that holds the key; empty = the entry's.
        cassette: file that holds requests and replies; empty = none.
        cassette_mode: ``auto`` asks for what is missing and records it, ``replay`` never asks.
        wire: by which it is asked; ``auto`` = as the entry says.
    """

    model: str = ""
    models: str = ""
    base_url: str = ""
    key_variable: str = ""
    cassette: str = ""
    cassette_mode: str = "auto"
    wire: str = AUTO


def wires_of(profile: Profile) -> tuple[Wire, ...]:
    """Return the wires to try: the profile's, else what the kind of server allows.

    A server of this machine mostly completes bare lines (llama.cpp, vLLM, LM Studio), which small
    models do best; others have chat alone.
    """
    if profile.wire is not None:
        return (profile.wire,)
    here = Endpoint.of(profile).is_here
    return (Wire.COMPLETION, Wire.TURNS) if here else (Wire.JSON,)


def connect(choice: ModelChoice, meter: Meter) -> Completer:
    """Return the completer that ``choice`` names; nothing is sent yet.

    Raises:
        UsageError: a file that cannot be used, or a budget that cannot be kept.
    """
    profile = profile_of(choice)
    if not choice.cassette:
        return OpenAIChat(profile, meter)
    cassette = Cassette(Path(choice.cassette), choice.cassette_mode)
    inner = OpenAIChat(profile, meter) if choice.cassette_mode == AUTO else None
    return RecordedCompleter(inner, cassette, profile.model, meter)


def require_reachable(choice: ModelChoice) -> None:
    """Check that a server listens, if the model is on this machine and no cassette replaces it.

    Raises:
        UsageError: none does.
    """
    endpoint = Endpoint.of(profile_of(choice))
    if choice.cassette or not endpoint.is_here:
        return
    url = urlsplit(endpoint.base_url)
    address = (url.hostname, url.port or (443 if url.scheme == "https" else 80))
    try:
        socket.create_connection(address, CONNECT_TIMEOUT).close()
    except OSError:
        start = _STARTS.get(choice.model, "its server")
        raise UsageError(
            f"model {choice.model}: no server listens at {url.hostname}:{address[1]}, "
            f"start {start} first"
        ) from None


def profile_of(choice: ModelChoice) -> Profile:
    """Return the profile of a model, with the values of the choice.

    Raises:
        InvalidValue: a catalogue that cannot be read.
    """
    profile = find_profile(
        choice.model, Path(choice.models).expanduser() if choice.models else None
    )
    return replace(
        profile,
        base_url=choice.base_url or profile.base_url,
        key_variable=choice.key_variable or profile.key_variable,
        wire=profile.wire if choice.wire == AUTO else Wire(choice.wire),
    )


ANSWER_TIMEOUT = 5.0
"""Longest time for an endpoint to answer [s]."""
TRIES = 2
"""Requests before giving up: a kept connection may have been closed meanwhile."""
_DOWN = (502, 503, 504)
"""HTTP statuses of a gateway without its server, and of a server that still loads its model."""


def require_answer(choice: ModelChoice, deadline: float) -> None:
    """Check that the key is set, the endpoint answers and does not refuse the key.

    It is asked for its list of models, of which nothing is read: one without such a list answers
    as well.  A cassette that is only replayed needs neither key nor endpoint.

    Args:
        choice: of the model.
        deadline: of one proposal [s]; the check takes at most this and
            :data:`ANSWER_TIMEOUT`.

    Raises:
        CompletionFailed: one line with the fault and the remedy, without the key.
    """
    if choice.cassette and choice.cassette_mode == REPLAY:
        return
    endpoint = Endpoint.of(profile_of(choice))
    watch(endpoint.profile.key_variable)
    why = _missing(endpoint) or _no_answer(endpoint, min(deadline, ANSWER_TIMEOUT))
    if why:
        raise CompletionFailed(why)


def _missing(endpoint: Endpoint) -> str | None:
    try:
        endpoint.check()
    except CompletionFailed as exc:  # not raised on: the frames of its traceback hold the key
        return str(exc)
    return None


def _no_answer(endpoint: Endpoint, limit: float) -> str | None:
    """Return the reason why the endpoint cannot be asked; None = it can."""
    until = time.monotonic() + limit
    try:
        return connections().run(_refusal(endpoint, until), until)
    except TimeoutError:
        return f"no answer from {endpoint.addressee.way} within {limit:g} s: is it running?"


async def _refusal(endpoint: Endpoint, until: float) -> str | None:
    failure = None
    async with asyncio.timeout(until - time.monotonic()):
        for _ in range(TRIES):
            failure = await _failure(endpoint)
            if failure is None or failure.status:
                break
    return failure.line if failure is not None and _is_refusal(failure.status) else None


async def _failure(endpoint: Endpoint) -> Failure | None:
    try:
        await endpoint.list_models()
    except Exception as exc:
        return classify(exc, endpoint.addressee)
    return None


def _is_refusal(status: int) -> bool:
    """Return whether a failure to list the models means that a completion would fail, too."""
    return status in (0, 401, 403, *_DOWN) or 300 <= status < 400
