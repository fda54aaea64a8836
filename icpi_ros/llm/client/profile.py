"""What is known of a model and its endpoint: settings, never guesses from the name."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from urllib.parse import urlsplit

from icpi_ros.llm.client.formats import LADDER

VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
"""Of an environment variable that holds a key; keys themselves mostly have small letters."""
DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
_PER = 1e6
"""Prices are per this many tokens."""


@dataclass(frozen=True)
class Price:
    """What tokens cost, per million [currency]; NaN = unknown.

    Attributes:
        input: prompt tokens.
        output: completion tokens.
        cached_input: prompt tokens that the server had cached; NaN = as ``input``.
        currency: its name, for reports.
    """

    input: float = math.nan
    output: float = math.nan
    cached_input: float = math.nan
    currency: str = "USD"


@dataclass(frozen=True)
class Profile:
    """One model behind one OpenAI-compatible endpoint, and what may be asked of it.

    The defaults are for a model of which nothing is known: only what every server takes is sent.

    Attributes:
        name: of the entry in models.yaml.
        model: name on the wire.
        base_url: of the endpoint, with its ``/v1``; "" = OPENAI_BASE_URL, else OpenAI's own.
        key_variable: environment variable that holds the key.
        needs_key: False if the server may be asked without a key.
        token_limit: name of the field that limits a reply's tokens; "" = no limit is sent.
        max_tokens: the limit, if one is sent [tokens].
        temperature: True if the server takes one.
        seed: True if the server takes one.
        samples: True if the server gives several choices for ``n`` above 1.
        effort: ``reasoning_effort``; "" = not sent.
        formats: rungs of the ladder to try, best first.
        price: of tokens.
    """

    name: str
    model: str
    base_url: str = ""
    key_variable: str = DEFAULT_KEY_VARIABLE
    needs_key: bool = True
    token_limit: str = ""
    max_tokens: int = 0
    temperature: bool = False
    seed: bool = False
    samples: bool = False
    effort: str = ""
    formats: tuple[str, ...] = LADDER
    price: Price = Price()

    @property
    def priced(self) -> bool:
        """Tell whether the price is known."""
        return math.isfinite(self.price.input) and math.isfinite(self.price.output)

    def money(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """Return what a call costs [currency of the price]; NaN if the price is unknown.

        Args:
            prompt_tokens: all of the prompt.
            completion_tokens: the reply.
            cached_tokens: part of ``prompt_tokens`` that the server had cached.
        """
        price = self.price
        cached = price.input if math.isnan(price.cached_input) else price.cached_input
        fresh = prompt_tokens - cached_tokens
        total = fresh * price.input + cached_tokens * cached + completion_tokens * price.output
        return total / _PER


def is_plain_url(text: str) -> bool:
    """Tell whether a text is an http URL without anything in it that may be secret."""
    try:
        parts = urlsplit(text)
        port_is_one = parts.port is None or parts.port > 0
    except ValueError:
        return False
    secret = parts.username or parts.password or {"?", "#"} & set(text)
    return not secret and parts.scheme in ("http", "https") and bool(parts.hostname) and port_is_one
