"""Options of the improvers that complete a pattern of examples, and of those that ask a model."""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

from icpi_ros.improvers.base import IndexedOptions
from icpi_ros.improvers.llm.fusion import FUSIONS, MEDIAN
from icpi_ros.improvers.options import option
from icpi_ros.llm.addresses import is_plain_url
from icpi_ros.llm.cassettes.cassette import AUTO, MODES
from icpi_ros.llm.client.budget import Budget
from icpi_ros.llm.client.completer import WIRES
from icpi_ros.llm.client.profile import SIZES, VARIABLE_NAME
from icpi_ros.llm.connect import ModelChoice
from icpi_ros.llm.prompt.examples import BOTH, ERROR, EXAMPLES, INPUTS, LABELS, ORDERS, PAIRS
from icpi_ros.llm.prompt.text import FITTED, FIXED, NUMBERS
from icpi_ros.llm.prompt.tokens import DEFAULT_DIGITS

DEFAULT_DEADLINE, LOCAL_DEADLINE = 30.0, 120.0
"""Wall time of one proposal, all calls and retries included [s]: elsewhere, and where the model
computes on this machine."""
MAX_DEADLINE = 3600.0
SMALL = {
    "k": 8,
    "examples": PAIRS,
    "inputs": ERROR,
    "digits": 2,
    "numbers": FITTED,
    "samples": 5,
    "temperature": 0.7,
}
"""Other defaults for a small model, chosen on training draws: it reads few short lines best, and
most of what they bring comes of which examples they are."""
SUBSTITUTES = EMBEDDED, HOLD, FAIL = ("embedded", "hold", "fail")
"""Values of the option ``substitute``; the setting ``fallback`` of a run is another thing: whether
it begins although its model cannot be asked."""


@dataclass(frozen=True)
class ShownOptions(IndexedOptions):
    """Options of the examples that are shown."""

    examples: str = option(
        LABELS,
        "where they are from: labels of the data set, nearest by theta and error, or also pairs of "
        "its executions, near at the scale of the error, at most two of one physics",
        choices=EXAMPLES,
    )
    start: str = option(
        "latest", "trial that is adjusted (ICPI: the latest one)", choices=("latest", "best")
    )


@dataclass(frozen=True)
class PatternOptions(ShownOptions):
    """Options of the context of a proposal."""

    inputs: str = option(
        BOTH, "inputs of a line: theta and error, or the error alone", choices=INPUTS
    )
    order: str = option(
        ORDERS[0], "order of the examples: by distance, or by cost, or shuffled", choices=ORDERS
    )
    history: bool = option(False, "show the run's own trials, as hindsight pairs")
    repeats: str = option(
        "refuse", "what becomes of a theta that was tried already", choices=("refuse", "allow")
    )
    substitute: str = option(
        EMBEDDED,
        "in place of a proposal that the model did not make: embedded's, the best trial again "
        "(hold), or none, which ends a run and is a failed trial of a benchmark (fail); `icpi "
        "bench` has hold where none is given",
        choices=SUBSTITUTES,
    )


def _is_variable(text: str) -> bool:
    return not text or bool(VARIABLE_NAME.fullmatch(text))


def _is_url(text: str) -> bool:
    return not text or is_plain_url(text)


@dataclass(frozen=True)
class LlmOptions(PatternOptions):
    """The same for improvers that ask a model; docs/endpoints.md has models and servers."""

    model: str = option("", "entry of models.yaml, or name on the wire; empty = ICPI_MODEL")
    models: str = option("", "file with entries of one's own; empty = ICPI_MODELS")
    base_url: str = option(
        "",
        "endpoint; empty = the entry's, else OPENAI_BASE_URL, else OpenAI's",
        valid=_is_url,
        allowed="a URL http://... or https://... without user name, password and query: set the "
        "key in the environment",
    )
    key_variable: str = option(
        "",
        "environment variable that holds the key; empty = the entry's",
        valid=_is_variable,
        allowed="the name of an environment variable (capitals, digits and _), not the key",
    )
    wire: str = option(
        AUTO,
        "how a model is asked: completion (bare lines), turns (a chat with the examples as turns) "
        "or json (an instruction, answered with JSON); auto: as the entry says, else completion "
        "or turns on this machine and json elsewhere",
        choices=(AUTO, *map(str, WIRES)),
    )
    size: str = option(
        AUTO,
        "of the model: small has other defaults, "
        + ", ".join(f"{name}={value}" for name, value in SMALL.items())
        + "; auto: as the entry says, else large",
        choices=(AUTO, *map(str, SIZES)),
    )
    deadline: float = option(
        DEFAULT_DEADLINE,
        "time for one proposal, all calls and retries included; 120 by default with a model on "
        "this machine",
        unit="s",
        low=1e-3,
        high=MAX_DEADLINE,
    )
    digits: int = option(DEFAULT_DIGITS, "decimal places of a number in a prompt", low=1, high=9)
    numbers: str = option(
        FIXED,
        "scale of the numbers in a prompt: fixed, or fitted to the columns of its own lines",
        choices=NUMBERS,
    )
    describe: bool = option(False, "begin with a short description of the task")
    temperature: float = option(0.0, "of sampling, where the model takes one", low=0.0, high=2.0)
    samples: int = option(1, "replies per question, fused into one", low=1, high=64)
    fuse: str = option(MEDIAN, "how samples are fused", choices=FUSIONS)
    logprobs: int = option(
        0,
        "likeliest tokens at every place of a reply, by whose probabilities its numbers are "
        "averaged, where the server tells them (not with wire json); 0 = the reply as it is",
        low=0,
        high=20,
    )
    cassette: str = option("", "file that holds requests and replies; empty = none")
    cassette_mode: str = option(
        "auto", "auto asks for what is missing and records it, replay never asks", choices=MODES
    )
    max_calls: float = option(math.inf, "budget of a run: HTTP requests", low=1)
    max_tokens: float = option(math.inf, "budget of a run: prompt and completion tokens", low=1)
    max_money: float = option(
        math.inf, "budget of a run: money", unit="currency of models.yaml", low=1e-9
    )
    max_seconds: float = option(
        math.inf, "budget of a run: waiting for the model", unit="s", low=1e-3
    )

    @property
    def choice(self) -> ModelChoice:
        """Choice of the model."""
        return ModelChoice(**{f.name: getattr(self, f.name) for f in fields(ModelChoice)})

    @property
    def budget(self) -> Budget:
        """Limits of a run's spending."""
        return Budget(self.max_calls, self.max_tokens, self.max_money, self.max_seconds)
