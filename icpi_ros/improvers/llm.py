"""ICPI as published: a language model completes the sequence of retrieved examples."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from icpi_ros.context.prompt import PromptWriter
from icpi_ros.context.retrieval import DEFAULT_K
from icpi_ros.errors import CompletionFailed, InvalidValue
from icpi_ros.improvers.base import Context, IndexedImprover
from icpi_ros.improvers.ridge import Ridge
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
    Whenever the model gives no usable answer, ``ridge`` proposes instead and the proposal says
    so.

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
        self._k, deadline = _check_numbers(context.options)
        texts = _check_texts(context.options)
        super().__init__(context, self._k)
        self._writer = PromptWriter(self._index.scale)
        self._fallback = Ridge(context)
        self._completer = completer or OpenAIChat(**texts, deadline=deadline)

    def messages(self, history: Sequence[Outcome]) -> list[Message]:
        """Return the chat messages that a proposal for ``history`` would send."""
        latest = history[-1]
        nearest = self._index.query(latest.theta, latest.error, self._k)
        return self._writer.messages(self.context.dataset, nearest, latest)

    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return latest theta + the model's dtheta, or ridge's; see :meth:`Improver.propose`.

        ``details`` holds ``messages`` and, as far as there was an answer, ``reply``, ``usage``,
        ``model`` and ``model_latency`` [s].
        """
        start = time.perf_counter()
        details: dict[str, Any] = {"messages": self.messages(history)}
        try:
            proposal = Proposal(self._ask(history[-1], details), self.name)
        except CompletionFailed as exc:
            proposal = self._fallback.propose(history, rng)
            proposal = replace(proposal, fallback_reason=f"{self.name}: {exc}")
        return replace(proposal, latency=time.perf_counter() - start, details=details)

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
    unknown = sorted(set(options) - {*OPTIONS, "deadline", "k"})
    if unknown:
        allowed = ", ".join(sorted({*OPTIONS, "deadline", "k"}))
        raise InvalidValue(f"unknown option {unknown[0]!r} of llm: choose from {allowed}")
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


def _check_numbers(options: Mapping[str, Any]) -> tuple[int, float]:
    """Return ``k`` and ``deadline`` [s], defaults filled in."""
    try:
        k, deadline = (
            int(options.get("k", DEFAULT_K)),
            float(options.get("deadline", DEFAULT_DEADLINE)),
        )
    except (TypeError, ValueError, OverflowError):
        raise InvalidValue("options k and deadline of llm must be numbers") from None
    if not 1 <= k <= 1000:
        raise InvalidValue(f"option k = {k} of llm is not allowed: 1 to 1000 examples")
    if not (math.isfinite(deadline) and 0.0 < deadline <= MAX_DEADLINE):
        raise InvalidValue(
            f"option deadline = {deadline:g} s of llm is not allowed: "
            f"above 0, up to {MAX_DEADLINE:g} s"
        )
    return k, deadline
