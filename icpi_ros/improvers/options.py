"""Options of the pattern-completing improvers: names, ranges, defaults, and clear refusals."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from icpi_ros.context.adjustments import ORDERS
from icpi_ros.context.tokens import DEFAULT_DIGITS
from icpi_ros.errors import InvalidValue
from icpi_ros.models.budget import Budget
from icpi_ros.models.cassette import MODES
from icpi_ros.models.connect import ModelChoice
from icpi_ros.models.profile import VARIABLE_NAME, is_plain_url

S = TypeVar("S", bound="PatternOptions")

DEFAULT_DEADLINE = 30.0
"""Wall time of one proposal, all calls and retries included [s]."""
MAX_DEADLINE = 3600.0
HUGE = 1e15
"""Larger numbers are mistakes; infinity, which JSON does not have, means no limit."""
_RANGES: Mapping[str, tuple[float, float]] = {
    "digits": (1, 9),
    "deadline": (1e-3, MAX_DEADLINE),
    "temperature": (0.0, 2.0),
    "samples": (1, 64),
    "asks": (1, 20),
    "decay": (0.0, 1.0),
    "max_calls": (1, math.inf),
    "max_tokens": (1, math.inf),
    "max_money": (1e-9, math.inf),
    "max_seconds": (1e-3, math.inf),
}
_CHOICES: Mapping[str, Sequence[str]] = {
    "order": ORDERS,
    "start": ("latest", "best"),
    "repeats": ("refuse", "allow"),
    "fuse": ("median", "student-t"),
    "predictor": ("embedded", "llm"),
    "cassette_mode": MODES,
}


@dataclass(frozen=True)
class PatternOptions:
    """How the context of a proposal is put together.

    Attributes:
        order: of the retrieved examples, see ``context.adjustments.ORDERS``.
        history: show the run's own trials, as hindsight pairs.
        start: adjust the ``latest`` trial (ICPI: theta_{i+1} = theta_i + dtheta_i) or the
            ``best`` one.
        repeats: ``refuse`` a theta that was tried already (``embedded`` proposes then), or
            ``allow`` it.
    """

    order: str = ORDERS[0]
    history: bool = False
    start: str = "latest"
    repeats: str = "refuse"

    @classmethod
    def of(cls: type[S], given: Mapping[str, Any], name: str, defaults: S) -> S:
        """Return the options of the improver ``name``; keys that are not fields are ignored.

        Raises:
            InvalidValue: a value is not allowed; names it and what is.
        """
        values: dict[str, Any] = {f.name: getattr(defaults, f.name) for f in fields(cls)}
        for key in values.keys() & given.keys():
            values[key] = _checked(key, given[key], values[key], name)
        return cls(**values)


@dataclass(frozen=True)
class LlmOptions(PatternOptions):
    """The same for improvers that ask a model.

    Attributes:
        model: entry of models.yaml, or a name on the wire; empty = ICPI_MODEL.
        models: file with entries of one's own; empty = ICPI_MODELS.
        base_url: endpoint; empty = the entry's, else OPENAI_BASE_URL, else OpenAI's.
        key_variable: environment variable that holds the key; empty = the entry's.
        deadline: wall time of one proposal, all calls and retries included [s].
        digits: decimal places of a number, see ``context.tokens.NumberFormat``.
        describe: begin with a short description of the task.
        temperature: of sampling, where the model takes one.
        samples: replies per question.
        cassette: file that holds requests and replies; empty = none.
        cassette_mode: ``auto`` asks for what is missing and records it, ``replay`` never asks.
        max_calls: budget of a run: HTTP requests.
        max_tokens: budget of a run: prompt and completion tokens.
        max_money: budget of a run [currency of models.yaml].
        max_seconds: budget of a run: waiting for the model [s].
    """

    model: str = ""
    models: str = ""
    base_url: str = ""
    key_variable: str = ""
    deadline: float = DEFAULT_DEADLINE
    digits: int = DEFAULT_DIGITS
    describe: bool = False
    temperature: float = 0.0
    samples: int = 1
    cassette: str = ""
    cassette_mode: str = "auto"
    max_calls: float = math.inf
    max_tokens: float = math.inf
    max_money: float = math.inf
    max_seconds: float = math.inf

    @property
    def choice(self) -> ModelChoice:
        """Which model is asked."""
        return ModelChoice(*(getattr(self, f.name) for f in fields(ModelChoice)))

    @property
    def budget(self) -> Budget:
        """How much a run may spend."""
        return Budget(self.max_calls, self.max_tokens, self.max_money, self.max_seconds)


def parse_option(text: str) -> tuple[str, Any]:
    """Parse ``k=20``: the value as JSON if it can be read as such, else as text.

    Raises:
        InvalidValue: not KEY=VALUE; the message does not show it, it may hold a key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise InvalidValue("an option is written KEY=VALUE, for example digits=3")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value


def parse_options(text: str) -> dict[str, Any]:
    """Parse a JSON object of options; empty text = none.

    Raises:
        InvalidValue: something else; the message does not show it.
    """
    try:
        found = json.loads(text or "{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InvalidValue('options must be a JSON object, for example {"digits": 3}')
    return found


def _checked(key: str, value: Any, default: Any, name: str) -> Any:
    """Return ``value`` as the type of ``default``; texts are not shown, they may hold a key."""
    where = f"option {key} of {name}"
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise InvalidValue(f"{where} must be true or false")
        return value
    if isinstance(default, str):
        return _text(key, value, where)
    return _number(key, value, default, where)


def _number(key: str, value: Any, default: float, where: str) -> float:
    whole = isinstance(default, int)
    wanted = "a whole number" if whole else "a number"
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise InvalidValue(f"{where} must be {wanted}")
    low, high = _RANGES[key]
    if not (low <= value <= high and abs(value) < HUGE):
        span = f"{low:g} to {high:g}" if math.isfinite(high) else f"at least {low:g}"
        shown = "so large a number" if abs(value) >= HUGE else f"{value:g}"
        raise InvalidValue(f"{where}: {shown} is not allowed: {wanted}, {span}")
    return value if whole else float(value)


def _text(key: str, value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise InvalidValue(f"{where} must be a text")
    if key in _CHOICES and value not in _CHOICES[key]:
        raise InvalidValue(f"{where}: choose one of {', '.join(_CHOICES[key])}")
    if key == "key_variable" and value and not VARIABLE_NAME.fullmatch(value):
        raise InvalidValue(
            f"{where} must be the name of an environment variable (capitals, digits and _), "
            "not the key"
        )
    if key == "base_url" and value and not is_plain_url(value):
        raise InvalidValue(
            f"{where} must be a URL http://... or https://... without user name, password and "
            "query: set the key in the environment"
        )
    return value
