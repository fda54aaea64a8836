"""ICPI as published: a language model completes the sequence of retrieved examples."""

from __future__ import annotations

import functools
import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from icpi_ros.context.prompt import PromptWriter
from icpi_ros.errors import CompletionFailed, InvalidValue
from icpi_ros.improvers.base import Context, IndexedImprover, check_options, without_options
from icpi_ros.improvers.embedded import Embedded
from icpi_ros.models.completer import Completer, Message
from icpi_ros.models.openai_chat import DEFAULT_DEADLINE, DEFAULT_KEY_VARIABLE, OpenAIChat
from icpi_ros.types import Array, Outcome, Proposal

MAX_DEADLINE = 3600.0
VARIABLE_NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,99}")
OPTIONS = {"model": "", "base_url": "", "key_variable": DEFAULT_KEY_VARIABLE}
"""Text options and their defaults; ``deadline`` [s] and ``k`` are numbers."""


class Llm(IndexedImprover):
    """Retrieves k examples for the latest trial, asks a model, adds its dtheta to the trial.

    The latest trial and not the best one, as ICPI states it: theta_{i+1} = theta_i + dtheta_i.
    Whenever the model gives no usable answer, ``embedded`` proposes instead and the proposal
    says so.

    Options: ``model``, ``base_url``, ``key_variable``, ``deadline`` [s], ``k``.
    """

    name: ClassVar[str] = "llm"
    summary: ClassVar[str] = "language model behind any OpenAI-compatible endpoint (ICPI)"
    option_names: ClassVar[tuple[str, ...]] = (*OPTIONS, "deadline", "k")

    def __init__(self, context: Context, completer: Completer | None = None) -> None:
        """Index the data set and set up the client; no network yet.

        Args:
            context: what is known about the run.
            completer: the model; None = OpenAIChat with the context's options.

        Raises:
            InvalidValue: a wrong option, or a data set with too few examples.
        """
        check_options(Llm, context.options)
        deadline = _check_deadline(context.options)
        texts = _check_texts(context.options)
        super().__init__(context)
        self._writer = PromptWriter(self._index.scale)
        self._completer = completer or OpenAIChat(**texts, deadline=deadline)

    def messages(self, history: Sequence[Outcome]) -> list[Message]:
        """Return the chat messages that a proposal for ``history`` would send."""
        latest = history[-1]
        nearest = self._index.query(latest.theta, latest.error, self._k)
        return self._writer.messages(self.context.dataset, nearest, latest)

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return latest theta + the model's dtheta, or embedded's; see :meth:`Improver.propose`.

        ``details`` holds ``messages`` and, as far as there was an answer, ``reply``, ``usage``,
        ``model`` and ``model_latency`` [s].
        """
        start = time.perf_counter()
        details: dict[str, Any] = {"messages": self.messages(history)}
        try:
            proposal = Proposal(self._ask(history[-1], details), self.name)
        except CompletionFailed as exc:
            proposal = self._substitute.propose(history, rng)
            proposal = replace(proposal, fallback_reason=f"{self.name}: {exc}")
        return replace(proposal, latency=time.perf_counter() - start, details=details)

    @functools.cached_property
    def _substitute(self) -> Embedded:
        """Built at the first failure: it fits the data set, which takes seconds."""
        return Embedded(without_options(self.context))

    def _ask(self, latest: Outcome, details: dict[str, Any]) -> Array:
        """Return the model's theta ``(d,)``; fills ``details`` as far as it comes."""
        completion = self._completer.complete(details["messages"])
        details["reply"] = completion.text
        details["usage"] = dict(completion.usage)
        details["model"] = completion.model
        details["model_latency"] = completion.latency
        theta = latest.theta + self._writer.dtheta(completion.text)
        if not np.isfinite(theta).all():
            raise CompletionFailed("the reply leads to a theta that is not finite")
        return np.asarray(theta)


def _check_texts(options: Mapping[str, Any]) -> dict[str, str]:
    """Return the text options, defaults filled in."""
    for name in OPTIONS:
        if not isinstance(options.get(name, ""), str):
            raise InvalidValue(f"option {name} of llm must be a text")
    texts = {name: str(options.get(name) or default) for name, default in OPTIONS.items()}
    # Neither message shows the value: it may be the key itself.
    if not VARIABLE_NAME.fullmatch(texts["key_variable"]):
        raise InvalidValue(
            "option key_variable of llm must be the name of an environment variable "
            "(capitals, digits and _), not the key"
        )
    if "@" in texts["base_url"].partition("://")[2].partition("/")[0]:
        raise InvalidValue(
            "option base_url of llm must not hold a user name or password: "
            f"set the key in {texts['key_variable']}"
        )
    if {"?", "#"} & set(texts["base_url"]):
        raise InvalidValue(
            "option base_url of llm must not hold a query (?) or fragment (#): "
            f"set the key in {texts['key_variable']}"
        )
    return texts


def _check_deadline(options: Mapping[str, Any]) -> float:
    """Return ``deadline`` [s], the default if it is not there."""
    try:
        deadline = float(options.get("deadline", DEFAULT_DEADLINE))
    except (TypeError, ValueError, OverflowError):
        raise InvalidValue("option deadline of llm must be a number") from None
    if not (math.isfinite(deadline) and 0.0 < deadline <= MAX_DEADLINE):
        raise InvalidValue(
            f"option deadline = {deadline:g} s of llm is not allowed: "
            f"above 0, up to {MAX_DEADLINE:g} s"
        )
    return deadline
