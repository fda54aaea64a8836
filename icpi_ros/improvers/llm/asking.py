"""The questions of one proposal: asked within one deadline, read, and kept for the record."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np

from icpi_ros.core.errors import BudgetSpent, CompletionFailed, NotOnCassette
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
from icpi_ros.llm.prompt.expectation import NotWeighed, expect
from icpi_ros.llm.prompt.pattern import Pattern
from icpi_ros.llm.prompt.text import PromptWriter

T = TypeVar("T")
MAX_SEED = 2**31 - 1
"""Largest seed of sampling that all servers take."""


MAX_OUTCOME = 5.0
"""Longest predicted error that is believed, scaled: of the data set 1 is the RMS."""
MAX_AT_ONCE = 4
"""Questions that are under way at the same time."""


@dataclass(frozen=True)
class Predicted:
    """Predicted outcome.

    Attributes:
        error: ``(m,)`` scaled.
        std: ``(m,)`` of the model's own distribution; None = not told.
    """

    error: Array
    std: Array | None


@dataclass(frozen=True)
class _Question:
    """A request, its place in the record, and what its replies are read by."""

    request: CompletionRequest
    exchange: dict[str, Any]
    writers: Mapping[Wire, PromptWriter]
    pattern: Pattern | None

    def asked(self, wire: Wire) -> Prompt:
        """Return the prompt that went over a wire."""
        other = self.request.otherwise
        return other if other is not None and other.wire == wire else self.request.prompt

    def keep_failure(self, exc: BudgetSpent | CompletionFailed) -> None:
        """Keep why there is no completion, and what came before, for the record."""
        self.exchange["failed"] = str(exc)
        if tries := exc.details.get("tries"):
            self.exchange["tries"] = list(tries)
        if isinstance(exc, NotOnCassette):
            self.exchange["missing"] = True

    def read(
        self, text: str, tokens: Sequence[Token] | None, wire: Wire, weigh: int
    ) -> tuple[Array, Array | None]:
        """Return the scaled outputs ``(q,)`` of a reply, and their std if it was weighed.

        ``exchange`` gets the expectation, or why there is none.

        Raises:
            CompletionFailed: the reply cannot be read.
        """
        assert self.pattern is not None
        writer = self.writers[self.asked(wire).wire]
        outputs = writer.outputs(text, self.pattern)
        if not weigh:
            return outputs, None
        request = self.request
        try:
            found = expect(text, tokens, writer.numbers, request.numbers, request.largest)
        except NotWeighed as exc:
            self.exchange.setdefault("not_weighed", []).append(str(exc))
            return outputs, None
        scale = writer.scale(self.pattern)
        mean, std = found.mean * scale, found.std * scale
        kept = {"mean": mean.tolist(), "std": std.tolist()}
        self.exchange.setdefault("weighed", []).append(kept)
        return mean, std


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
        question = self._question(pattern, purpose, samples, described, longest)
        return self._read(question, self._complete(question), accept)

    def outcomes(self, patterns: Sequence[Pattern]) -> list[Predicted | None]:
        """Return the predicted outcomes of all patterns, a few asked at the same time; None = none.

        The first one is asked alone: it finds out what the server can do.

        Raises:
            BudgetSpent: the budget was used up before this proposal's first call.
        """
        questions = [self._question(one, "outcome", 1, False, None) for one in patterns]
        first = [self._tried(question) for question in questions[:1]]
        with ThreadPoolExecutor(MAX_AT_ONCE) as pool:
            completions = first + list(pool.map(self._tried, questions[1:]))
        return list(map(self._predicted, questions, completions))

    def answer(
        self,
        prompt: Prompt,
        purpose: str,
        read: Callable[[str], T],
        numbers: int,
        words: int,
        accept: Callable[[T], T] = lambda answer: answer,
    ) -> T:
        """Return ``accept`` of ``read`` of the first usable reply in words to a prompt.

        Args:
            prompt: a chat.
            purpose: for the record.
            read: may raise CompletionFailed where a reply cannot be read.
            numbers: that the reply should hold.
            words: token limit of the reply.
            accept: may raise CompletionFailed to refuse an answer that was read.

        Raises:
            CompletionFailed: no reply is usable; the message is the reason.
            BudgetSpent: the budget was used up before this proposal's first call.
        """
        request = CompletionRequest(
            prompt,
            numbers,
            samples=self._options.samples,
            temperature=self._options.temperature,
            seed=int(self._seeds.integers(MAX_SEED)),
            words=words,
        )
        question = _Question(request, self._recorded(prompt, purpose, request), {}, None)
        completion = self._complete(question)
        self._keep(question, completion)
        for text in completion.texts:
            try:
                answer = read(text)
                question.exchange["read"] += 1
                return accept(answer)
            except CompletionFailed as exc:
                question.exchange["refused"].append(str(exc))
        raise CompletionFailed(question.exchange["refused"][-1])

    def _question(
        self,
        pattern: Pattern,
        purpose: str,
        samples: int | None,
        described: bool,
        longest: float | None,
    ) -> _Question:
        """Return a pattern as a request and its place in the record; see :meth:`outputs`."""
        writers = {
            writer.wire: writer if described else replace(writer, description="")
            for writer in self._writers
        }
        prompt, *others = [writer.prompt(pattern) for writer in writers.values()]
        largest = None if longest is None else writers[prompt.wire].largest(pattern, longest)
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
        exchange = self._recorded(prompt, purpose, request)
        return _Question(request, exchange, writers, pattern)

    def _recorded(self, prompt: Prompt, purpose: str, request: CompletionRequest) -> dict[str, Any]:
        exchange = {"purpose": purpose, "samples": request.samples} | _shown(prompt)
        self._exchanges.append(exchange)
        return exchange

    def _keep(self, question: _Question, completion: Completion) -> None:
        """Keep what was answered for the record."""
        question.exchange.update(
            _shown(question.asked(completion.wire))
            | {
                "replies": list(completion.texts),
                "format": completion.format,
                "tries": list(completion.tries),
                "refused": [],
                "read": 0,
                "replayed": completion.replayed,
            }
        )
        self._model, self.answered = completion.model, True

    def _read(
        self, question: _Question, completion: Completion, accept: Callable[[Array], T]
    ) -> list[T]:
        """Return ``accept`` of the outputs of every usable reply; see :meth:`outputs`."""
        self._keep(question, completion)
        self.stds = []
        found: list[T] = []
        refused: list[str] = question.exchange["refused"]
        for n, text in enumerate(completion.texts):
            try:
                tokens = completion.tokens[n] if completion.tokens else None
                outputs, std = question.read(text, tokens, completion.wire, self._options.logprobs)
                question.exchange["read"] += 1
                found.append(accept(outputs))
                if std is not None:
                    self.stds.append(std)
            except CompletionFailed as exc:
                refused.append(str(exc))
        if not found:
            raise CompletionFailed(refused[-1] if refused else "no reply came")
        return found

    def _tried(self, question: _Question) -> Completion | BudgetSpent | CompletionFailed:
        """Return the completion of a question, or why there is none; in any thread."""
        try:
            return self._completer.complete(question.request, self._until)
        except (BudgetSpent, CompletionFailed) as exc:
            question.keep_failure(exc)
            return exc

    def _predicted(
        self, question: _Question, completion: Completion | BudgetSpent | CompletionFailed
    ) -> Predicted | None:
        if isinstance(completion, BudgetSpent) and self.spent.calls == 0:
            raise completion
        if isinstance(completion, Exception):
            return None
        try:
            (error,) = self._read(question, completion, _believable)
        except CompletionFailed:
            return None
        return Predicted(error, self.stds[0] if self.stds else None)

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

    def _complete(self, question: _Question) -> Completion:
        self.answered = False
        completion = self._tried(question)
        if isinstance(completion, BudgetSpent) and self.spent.calls:
            # What was asked already is paid for and must be on record: with this trial.
            raise CompletionFailed(str(completion)) from completion
        if isinstance(completion, Exception):
            raise completion
        return completion


def _believable(error: Array) -> Array:
    """Return a predicted error ``(m,)``, scaled.

    Raises:
        CompletionFailed: no outcome is so far off.
    """
    if not np.all(np.abs(error) <= MAX_OUTCOME):  # NaN is refused, too
        raise CompletionFailed(f"the predicted error is beyond {MAX_OUTCOME:g} times the usual")
    return error


def _shown(prompt: Prompt) -> dict[str, Any]:
    """Return the record of a prompt."""
    if prompt.text:
        return {"wire": str(prompt.wire), "prompt": prompt.text}
    return {"wire": str(prompt.wire), "messages": list(prompt.messages)}
