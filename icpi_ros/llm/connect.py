"""From names to a completer: profile, client, cassette."""

from __future__ import annotations

import socket
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

from icpi_ros.core.errors import UsageError
from icpi_ros.llm.cassettes.cassette import AUTO, Cassette, RecordedCompleter
from icpi_ros.llm.client.budget import Meter
from icpi_ros.llm.client.catalogue import find_profile
from icpi_ros.llm.client.completer import Completer
from icpi_ros.llm.client.endpoint import Endpoint
from icpi_ros.llm.client.openai_chat import OpenAIChat
from icpi_ros.llm.client.profile import Profile

LOCAL_MODEL = "icpi-in-context"
"""The model of `icpi serve`."""
PATIENCE = 1.0
"""Time for a server of this machine to accept [s]."""


@dataclass(frozen=True)
class ModelChoice:
    """Which model to ask, and how.

    Attributes:
        model: entry of models.yaml, or a name on the wire; empty = environment variable
            ICPI_MODEL.
        models: file with entries of one's own; empty = environment variable ICPI_MODELS.
        base_url: empty = the entry's, else OPENAI_BASE_URL, else OpenAI's.
        key_variable: environment variable that holds the key; empty = the entry's.
        cassette: file that holds requests and replies; empty = none.
        cassette_mode: ``auto`` asks for what is missing and records it, ``replay`` never asks.
    """

    model: str = ""
    models: str = ""
    base_url: str = ""
    key_variable: str = ""
    cassette: str = ""
    cassette_mode: str = "auto"


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
    """Check that somebody listens, if the model is on this machine and no cassette stands in.

    Raises:
        UsageError: nobody does.
    """
    endpoint = Endpoint.of(profile_of(choice))
    if choice.cassette or not endpoint.is_here:
        return
    url = urlsplit(endpoint.base_url)
    address = (url.hostname, url.port or 80)
    try:
        socket.create_connection(address, PATIENCE).close()
    except OSError:
        start = "`icpi serve`" if choice.model == LOCAL_MODEL else "its server"
        raise UsageError(
            f"model {choice.model}: nobody listens at {url.hostname}:{address[1]}, "
            f"start {start} first"
        ) from None


def profile_of(choice: ModelChoice) -> Profile:
    """Return what is known of a model, with what the choice sets.

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
    )
