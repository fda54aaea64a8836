"""From names to a completer: profile, client, cassette."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

from icpi_ros.models.budget import Meter
from icpi_ros.models.cassette import Cassette, RecordedCompleter
from icpi_ros.models.catalogue import find_profile
from icpi_ros.models.completer import Completer
from icpi_ros.models.openai_chat import OpenAIChat


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
    name = choice.model or os.environ.get("ICPI_MODEL", "").strip()
    profile = find_profile(name, Path(choice.models) if choice.models else None)
    given = {"base_url": choice.base_url, "key_variable": choice.key_variable}
    profile = replace(profile, **{key: value for key, value in given.items() if value})
    client = OpenAIChat(profile, meter)
    if not choice.cassette:
        return client
    cassette = Cassette(Path(choice.cassette), choice.cassette_mode)
    return RecordedCompleter(client, cassette, profile.model, meter)
