"""The questions of one proposal: asked within one deadline, read, and kept for the record."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from icpi_ros.core.errors import BudgetSpent, CompletionFailed
from icpi_ros.core.types import Array
from icpi_ros.improvers.llm.options import LlmOptions
from icpi_ros.improvers.llm.pattern import MAX_ADJUSTMENT
from icpi_ros.llm.client.budget import Meter, Spending
from icpi_ros.llm.client.completer import (
    Completer,
    Completion,
    CompletionRequest,
    Prompt,
    Token,
    Wire,
)
from icpi_ros.llm.prompt.expectation import Expectation, NotWeighed, expect
from icpi_ros.llm.prompt.pattern import Pattern
from icpi_ros.llm.prompt.text import PromptWriter
from icpi_ros.llm.prompt.tokens import NumberFormat

T = TypeVar("T")
MAX_SEED = 2**31 - 1
"""Largest seed of sampling that all servers take."""


class Asker:
    """Puts patterns to a model.

    Args:
        completer: the model.
        writers: of prompts, by wire; at most the first two are used.
        options: deadline, samples, temperature.
        meter: of the run.
        rng: of the proposal; seeds of sampling follow from its state, which stays as it is.

    Attributes:
        answered: whether the last question got a reply, usable or not.
        stds: scaled standard deviations ``(q,)`` of the accepted replies to the last question,
            of those whose tokens' probabilities were told.
    """

    def __init__(
        self,
        completer: Completer,
        writers: Sequence[PromptWriter],
        options: LlmOptions,
        meter: Meter,
        rng: np.random.Generator,
    ) -> None:
        self._completer, self._writers = completer, writers
        self._options, self._meter = options, meter
        self._until = time.monotonic() + options.deadline
        self._seeds = np.random.default_rng(zlib.crc32(repr(rng.bit_generator.state).encode()))
        self._before = meter.spent
        self._model = ""
        self.answered = False
        self.stds: list[Array] = []
        self._exchanges: list[dict[str, Any]] = []

    def outputs(
        self,
        pattern: Pattern,
        purpose: str,
        accept: Callable[[Array], T],
        samples: int | None = None,
        described: bool = True,
        longest: float | None = MAX_ADJUSTMENT,
    ) -> list[T]:
        """Return ``accept`` of the scaled outputs ``(q,)`` of every usable reply.

        Args:
            pattern: to complete.
            purpose: for the record.
            accept: may raise CompletionFailed to refuse a reply.
            samples: replies wanted; None = as the options say.
            described: whether the description of the task, if any, belongs to it.
            longest: scaled output that can be accepted, with either sign; None = any.

        Raises:
            CompletionFailed: no reply is usable; the message is the reason.
            BudgetSpent: the budget was used up before this proposal's first call.
        """
        writers = {
            writer.wire: writer if described else replace(writer, description="")
            for writer in self._writers
        }
        prompt, *others = [writer.prompt(pattern) for writer in writers.values()]
        exchange = {"purpose": purpose} | _shown(prompt)
        self._exchanges.append(exchange)
        self.answered, self.stds = False, []
        quantum = writers[prompt.wire].numbers.quantum
        largest = None if longest is None else round(longest / quantum)
        request = CompletionRequest(
            prompt=prompt,
            otherwise=others[0] if others else None,
            numbers=pattern.width,
            samples=samples or self._options.samples,
            temperature=self._options.temperature,
            seed=int(self._seeds.integers(MAX_SEED)),
            largest=largest,
            logprobs=0 if prompt.wire == Wire.JSON else self._options.logprobs,
        )
        completion = self._complete(request)
        refused: list[str] = []
        used = next((p for p in others if p.wire == completion.wire), prompt)
        exchange |= _shown(used) | {
            "replies": list(completion.texts),
            "format": completion.format,
            "tries": list(completion.tries),
            "refused": refused,
            "replayed": completion.replayed,
        }
        self._model, self.answered = completion.model, True
        found: list[T] = []
        for n, text in enumerate(completion.texts):
            try:
                outputs = writers[used.wire].outputs(text, pattern)
                if not self._options.logprobs:
                    found.append(accept(outputs))
                    continue
                tokens = completion.tokens[n] if completion.tokens else None
                weighed = _weighed(text, tokens, writers[used.wire].numbers, request, exchange)
                found.append(accept(outputs if weighed is None else weighed.mean))
                if weighed is not None:
                    self.stds.append(weighed.std)
            except CompletionFailed as exc:
                refused.append(str(exc))
        if not found:
            raise CompletionFailed(refused[-1] if refused else "no reply came")
        return found

    @property
    def spent(self) -> Spending:
        """Cost of this proposal so far."""
        return self._meter.spent - self._before

    def details(self) -> dict[str, Any]:
        """Return the record of all questions, JSON-able."""
        return {
            "model": self._model,
            "spent": self.spent.as_dict(),
            "exchanges": self._exchanges,
        }

    def _complete(self, request: CompletionRequest) -> Completion:
        try:
            return self._completer.complete(request, self._until)
        except BudgetSpent as exc:
            if self.spent.calls == 0:
                raise
            # What was asked already is paid for and must be on record: with this trial.
            raise CompletionFailed(str(exc)) from exc


def _weighed(
    text: str,
    tokens: Sequence[Token] | None,
    numbers: NumberFormat,
    request: CompletionRequest,
    exchange: dict[str, Any],
) -> Expectation | None:
    """Return the expectation of a reply, or None; ``exchange`` gets it, or why there is none."""
    try:
        found = expect(text, tokens, numbers, request.numbers, request.largest)
    except NotWeighed as exc:
        exchange.setdefault("not_weighed", []).append(str(exc))
        return None
    kept = {"mean": found.mean.tolist(), "std": found.std.tolist()}
    exchange.setdefault("weighed", []).append(kept)
    return found


def _shown(prompt: Prompt) -> dict[str, Any]:
    """Return the record of a prompt."""
    if prompt.text:
        return {"wire": str(prompt.wire), "prompt": prompt.text}
    return {"wire": str(prompt.wire), "messages": list(prompt.messages)}
