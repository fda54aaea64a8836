"""Profiles of models and their endpoints: settings of a catalogue, never guesses from the name.

The catalogue is ``config/models.yaml``, overlaid by the user's own file.  Everything that differs
between models stands there.  A model without an entry is asked with nothing but what every server
takes.
"""

from __future__ import annotations

import functools
import math
import os
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, TypeVar

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.redact import redact_text
from icpi_ros.core.resources import share_path
from icpi_ros.core.yaml_files import FileKind, read_yaml, unknown_key
from icpi_ros.llm.addresses import is_plain_url
from icpi_ros.llm.client.completer import WIRES, Wire
from icpi_ros.llm.client.formats import ALL_FORMATS, FORMATS, ReplyFormat
from icpi_ros.llm.client.token_count import Tokeniser

VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
"""Of an environment variable that holds a key; keys themselves mostly have small letters."""
DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
_PER = 1e6
"""Prices are per this many tokens."""


class Size(StrEnum):
    """Sizes of a model, by which what it is shown has other defaults."""

    SMALL = "small"
    LARGE = "large"


SIZES = tuple(Size)


@dataclass(frozen=True)
class Price:
    """Price of tokens, per million [currency]; NaN = unknown.

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
        base_url: of the endpoint, with its ``/v1``; None = OPENAI_BASE_URL, else OpenAI's own.
        key_variable: environment variable that holds the key.
        needs_key: False if the server may be asked without a key.
        token_limit: name of the field that limits a reply's tokens; None = no limit is sent.
        max_tokens: the limit, if one is sent [tokens]; 0 = by what is asked for.
        temperature: True if the server takes one.
        seed: True if the server takes one.
        samples: True if the server gives several choices for ``n`` above 1.
        effort: ``reasoning_effort``; None = not sent.
        formats: formats of a reply to try, best first.
        price: of tokens.
        wire: by which it is asked; None = by where its server is.
        size: of the model.
        tokeniser: its kind, for estimates; None = by the endpoint, see :class:`Endpoint`.
    """

    name: str
    model: str
    base_url: str | None = None
    key_variable: str = DEFAULT_KEY_VARIABLE
    needs_key: bool = True
    token_limit: str | None = None
    max_tokens: int = 0
    temperature: bool = False
    seed: bool = False
    samples: bool = False
    effort: str | None = None
    formats: tuple[ReplyFormat, ...] = FORMATS
    price: Price = Price()
    wire: Wire | None = None
    size: Size = Size.LARGE
    tokeniser: Tokeniser | None = None

    @property
    def priced(self) -> bool:
        """Return whether the price is known."""
        return math.isfinite(self.price.input) and math.isfinite(self.price.output)

    def money(self, prompt_tokens: int, completion_tokens: int, cached_tokens: int = 0) -> float:
        """Return the cost of a call [currency of the price]; NaN if the price is unknown.

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


FILE_VARIABLE = "ICPI_MODELS"
"""Environment variable with the path of the user's own file."""
MODELS_FILE = FileKind(InvalidValue, name="the models file ")
TOKEN_LIMITS = ("max_tokens", "max_completion_tokens")
_Read = Callable[[Any], Any]
_Choice = TypeVar("_Choice", Wire, Size, Tokeniser)


class _Wrong(Exception):
    """Requirement that a value does not meet; the text continues "<key> must be ..."."""


def find_profile(name: str, file: Path | None = None) -> Profile:
    """Return the profile of a model from the catalogue.

    Args:
        name: of the entry; "" = environment variable ICPI_MODEL.  Without an entry the profile
            holds cautious defaults and ``name`` goes on the wire.
        file: the user's own catalogue, whose keys win over the shipped ones; None = the file
            that ICPI_MODELS names, if any.

    Raises:
        InvalidValue: a file cannot be read or holds what is not allowed.
    """
    name = name or os.environ.get("ICPI_MODEL", "").strip()
    settings: dict[str, Any] = {"model": name}
    settings |= _shipped(share_path("config", "models.yaml")).get(name, {})
    if chosen := _own_file(file):
        settings |= read_catalogue(chosen).get(name, {})
    return Profile(name=name, **settings)


def _own_file(file: Path | None) -> Path | None:
    """Return the user's own catalogue, whose keys win; None = there is none."""
    own = os.environ.get(FILE_VARIABLE, "").strip()
    return file or (Path(own).expanduser() if own else None)


@functools.cache
def _shipped(path: Path) -> Mapping[str, Mapping[str, Any]]:
    """Return the catalogue of the package, read once: a model is looked up thrice per improver."""
    return read_catalogue(path)


def read_catalogue(path: Path) -> dict[str, dict[str, Any]]:
    """Return the entries of one file: name to the fields of :class:`Profile` that it sets.

    Raises:
        InvalidValue: the message names file, entry and key, and what is allowed.
    """
    document = read_yaml(path, MODELS_FILE)
    if not isinstance(document, dict) or not isinstance(document.get("models"), dict):
        raise InvalidValue(f"{path}: must hold a mapping `models:` of names to settings")
    _refuse_others(document, ("models",), str(path))
    return {
        _entry_name(name, path): _read_entry(entry, f"{path}: model {redact_text(str(name))}")
        for name, entry in document["models"].items()
    }


def _entry_name(name: Any, path: Path) -> str:
    if not isinstance(name, str) or not name.strip():
        raise InvalidValue(f"{path}: the name of a model must be a text: put it in quotes")
    return name


def _read_entry(entry: Any, where: str) -> dict[str, Any]:
    """Return the fields of a profile that an entry sets; an empty entry sets none."""
    if entry is None:
        return {}
    if not isinstance(entry, dict):
        raise InvalidValue(f"{where}: must be a mapping of keys: {', '.join(_readers())}")
    _refuse_others(entry, tuple(_readers()), where)
    fields: dict[str, Any] = {}
    for key, value in entry.items():
        try:
            fields |= _readers()[key](value)
        except _Wrong as wrong:  # the value is not shown: it may be a key put in the wrong place
            raise InvalidValue(f"{where}: {key} must be {wrong}") from None
    return fields


def _refuse_others(mapping: Mapping[Any, Any], known: tuple[str, ...], where: str) -> None:
    if unknown := unknown_key(mapping, known):
        key, hint = redact_text(str(unknown[0])), unknown[1]
        raise InvalidValue(f"{where}: unknown key {key!r}: choose from {', '.join(known)}{hint}")


@functools.cache
def _readers() -> Mapping[str, _Read]:
    """Return the readers of all keys, from a value to fields of a profile."""
    return {
        "model": lambda value: {"model": _text(value)},
        "base_url": lambda value: {"base_url": _url(value)},
        "key_variable": lambda value: {"key_variable": _variable(value)},
        "needs_key": lambda value: {"needs_key": _flag(value)},
        "token_limit": _token_limit,
        "temperature": lambda value: {"temperature": _flag(value)},
        "seed": lambda value: {"seed": _flag(value)},
        "samples": lambda value: {"samples": _flag(value)},
        "effort": lambda value: {"effort": _effort(value)},
        "formats": lambda value: {"formats": _formats(value)},
        "price": lambda value: {"price": _price(value)},
        "wire": lambda value: {"wire": _one_of(WIRES, value)},
        "size": lambda value: {"size": _one_of(SIZES, value)},
        "tokeniser": lambda value: {"tokeniser": _one_of(tuple(Tokeniser), value)},
    }


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value.strip():
        raise _Wrong("a text that is not empty")
    return value.strip()


def _effort(value: Any) -> str | None:
    if not isinstance(value, str):
        raise _Wrong('a text such as "low"; "" = not sent')
    return value.strip() or None


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _Wrong("true or false")
    return value


def _variable(value: Any) -> str:
    if not isinstance(value, str) or not VARIABLE_NAME.fullmatch(value):
        raise _Wrong("the name of an environment variable, in capitals (never the key itself)")
    return value


def _url(value: Any) -> str:
    if not is_plain_url(_text(value).strip()):
        raise _Wrong("a URL http://... or https://... without user name, password, query")
    return str(value).strip()


def _one_of(choices: tuple[_Choice, ...], value: Any) -> _Choice:
    if value not in choices:
        raise _Wrong(f"one of {', '.join(choices)}")
    return choices[choices.index(value)]


def _formats(value: Any) -> tuple[ReplyFormat, ...]:
    chosen = tuple(one for one in ALL_FORMATS if isinstance(value, list) and one in value)
    if not chosen or list(chosen) != value:
        raise _Wrong(f"a list of one or more of {', '.join(ALL_FORMATS)}, in this order")
    return chosen


def _token_limit(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not {"name"} <= set(value) <= {"name", "value"}:
        raise _Wrong("a mapping {name: ..., value: ...}, value left out = by what is asked for")
    name, limit = value["name"], value.get("value")
    if name not in TOKEN_LIMITS:
        raise _Wrong(f"a mapping whose name is one of {', '.join(TOKEN_LIMITS)}")
    if "value" not in value:
        return {"token_limit": name, "max_tokens": 0}
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
        raise _Wrong("a mapping whose value is a whole number above 0")
    return {"token_limit": name, "max_tokens": limit}


def _price(value: Any) -> Price:
    allowed = ("input", "cached_input", "output", "currency")
    if not isinstance(value, dict) or not {"input", "output"} <= set(value) <= set(allowed):
        raise _Wrong("a mapping with input and output, cached_input and currency if you like")
    numbers = {key: _amount(value[key], key) for key in allowed[:3] if key in value}
    currency = value.get("currency", Price.currency)
    if not isinstance(currency, str) or not currency.strip():
        raise _Wrong("a mapping whose currency is a text")
    return Price(**numbers, currency=currency.strip())


def _amount(value: Any, key: str) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not (0.0 <= value <= sys.float_info.max):
        raise _Wrong(f"a mapping whose {key} is a number, 0 or more per million tokens")
    return float(value)
