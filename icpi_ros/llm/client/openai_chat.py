"""Chat Completions over HTTP: OpenAI, Azure, vLLM, Ollama, llama.cpp, LM Studio.

The ``openai`` package speaks the wire.  Its timeout is per read and its retries obey any
``Retry-After``, so deadline, retries and the reading of responses are our own.
"""

from __future__ import annotations

import asyncio
import math
import time

from icpi_ros.core.errors import BudgetSpent, CompletionFailed, InvalidValue
from icpi_ros.core.redact import redact_texts, watch
from icpi_ros.llm.addresses import other_bases
from icpi_ros.llm.client.budget import Meter, failure_details
from icpi_ros.llm.client.charging import CompletionMeter
from icpi_ros.llm.client.completer import Completion, CompletionRequest, Prompt, Token, Wire
from icpi_ros.llm.client.connections import connections
from icpi_ros.llm.client.endpoint import PATHS, Endpoint
from icpi_ros.llm.client.formats import (
    FALLBACK_STATUS,
    TRANSIENT_STATUS,
    ReplyFormat,
    working_formats,
)
from icpi_ros.llm.client.profile import Profile
from icpi_ros.llm.client.replies import Reply
from icpi_ros.llm.client.responses import NOT_SERVED, Failure, pause
from icpi_ros.llm.local_http import is_served
from icpi_ros.llm.waiting import deadline, in_loop

MAX_ATTEMPTS = 5
"""Failures of a request, those that lead to a simpler format not counted."""
MAX_CONCURRENT = 4
"""Requests of one completion that are under way at the same time."""
SLOW_REMEDY = "raise the option deadline or ask for less (k, samples, a smaller model)"
_MAX_ROUNDS = 3
_SERVED = frozenset({400, 401, 403, 415, 422, 429})
"""HTTP statuses of failures that a server has only at a path that it serves."""


class OpenAIChat:
    """One model behind one OpenAI-compatible endpoint.

    The key is read from the environment at each request and kept nowhere.

    Attributes:
        profile: the model, and what may be sent to it.
        meter: of the spending; charged call by call.
        base_url: of the server.
    """

    def __init__(self, profile: Profile, meter: Meter) -> None:
        """Import the client and start its loop, so that no call pays for it.

        Raises:
            InvalidValue: a budget of money is set and the price is unknown.
        """
        if math.isfinite(meter.budget.money) and not profile.priced:
            raise InvalidValue(
                f"a budget of money needs the price of model {profile.name}: "
                "add `price:` to its entry in models.yaml (a file of your own: ICPI_MODELS), or "
                "limit calls or tokens instead"
            )
        self.profile, self.meter = profile, meter
        self._endpoint = Endpoint.of(profile)
        self._missing = ""
        watch(profile.key_variable)
        try:
            connections().http(self.base_url)
        except CompletionFailed as exc:
            self._missing = str(exc)

    @property
    def base_url(self) -> str:
        """URL of the server; may hold what must not be shown."""
        return self._endpoint.base_url

    @property
    def endpoint(self) -> str:
        """The base URL without user name, password and query, for messages and records."""
        return self._endpoint.shown

    def complete(self, request: CompletionRequest, until: float) -> Completion:
        """Return the model's completion; see :meth:`Completer.complete`."""
        if self._missing:
            raise CompletionFailed(self._missing)
        outcome = self._outcome(request, until)
        if isinstance(outcome, Completion):
            return outcome
        raise outcome

    def _outcome(
        self, request: CompletionRequest, until: float
    ) -> Completion | CompletionFailed | BudgetSpent:
        start = time.monotonic()
        lines = connections()
        run = lines.run_here if is_served(self.base_url) else lines.run
        try:
            return run(self._exchange(request, until), until)
        except TimeoutError:  # the loop itself hangs or is overrun
            seconds = max(until - start, 0.0)
            way = self._endpoint.addressee.way
            return CompletionFailed(f"no answer from {way} within {seconds:.1f} s: {SLOW_REMEDY}")

    async def _exchange(
        self, request: CompletionRequest, until: float
    ) -> Completion | CompletionFailed | BudgetSpent:
        meter = CompletionMeter(self.meter, self.profile)
        return await Exchange(self._endpoint, request, until, meter).run()


class Exchange:
    """The requests of one completion, run by one thread."""

    def __init__(
        self, endpoint: Endpoint, request: CompletionRequest, until: float, meter: CompletionMeter
    ) -> None:
        """Remember what is asked, and ``until`` [s of monotonic time]; nothing is sent yet."""
        self._given, self._request, self._until, self._meter = endpoint, request, until, meter
        found = working_formats().base(endpoint.base_url)
        self._endpoint = endpoint.at(found) if found else endpoint
        self._others = [] if found else [endpoint.at(url) for url in other_bases(endpoint.base_url)]
        self._prompt = request.prompt
        self._allowed = until - time.monotonic()
        self._texts: dict[int, tuple[str, ...]] = {}  # by number of the first sample
        self._tokens: dict[int, tuple[tuple[Token, ...] | None, ...]] = {}
        self._asked = self._choices = 0
        self._model = endpoint.profile.model
        self._format, self._wire = ReplyFormat.TEXT, request.prompt.wire
        self._tries: list[str] = []
        self._stop: CompletionFailed | BudgetSpent | None = None

    async def run(self) -> Completion | CompletionFailed | BudgetSpent:
        """Return the completion or why there is none.

        The error is returned, not raised: the frames of its traceback would hold the key.
        """
        try:
            self._endpoint.check()
            if self._request.samples < 1:
                raise CompletionFailed("no sample was asked for: samples must be 1 or more")
            if self._allowed <= 0.0:
                raise CompletionFailed("the deadline is over: the model was not asked")
            async with deadline(self._until):
                await self._gather()
        except TimeoutError:
            self._stop = CompletionFailed(self._too_late())
        except CompletionFailed as exc:
            self._stop = CompletionFailed(str(exc))
        except Exception as exc:  # nothing of it but its type: it may hold the key
            self._stop = CompletionFailed(f"the client failed with {type(exc).__name__}")
        finally:  # cancelled or not
            self._meter.close()
        return self._result()

    def _too_late(self) -> str:
        last = f" (last: {self._tries[-1]})" if self._tries else ""
        why = f"no answer from {self._endpoint.addressee.way} within {self._allowed:.1f} s{last}"
        return f"{why}: {SLOW_REMEDY}"

    def _result(self) -> Completion | CompletionFailed | BudgetSpent:
        texts = tuple(text for _, some in sorted(self._texts.items()) for text in some)
        if not texts:
            failure = self._stop or CompletionFailed(self._tries[-1])
            failure.details = failure_details(self._meter.spent, self._tries)
            return failure
        end = [str(self._stop)] if self._stop and str(self._stop) not in self._tries else []
        model, *clean = redact_texts([self._model, *texts])
        told = [some for _, each in sorted(self._tokens.items()) for some in each]
        same = clean == list(texts)  # else its tokens would hold what was taken out of a text
        return Completion(
            texts=tuple(clean),
            spent=self._meter.spent,
            model=model,
            format=str(self._format),
            tries=tuple(self._tries + end),
            wire=self._wire,
            tokens=tuple(told) if same and any(told) else (),
        )

    async def _gather(self) -> None:
        """Ask until all samples are there, some call has failed or nothing more comes."""
        wanted = self._request.samples
        if working_formats().completes(*self._where(self._prompt)) is False:
            self._take_other_wire()
        told = self._endpoint.profile.samples or self._prompt.wire == Wire.COMPLETION
        several = told and working_formats().several(*self._where(self._prompt)) is not False
        per_call = wanted if several else 1
        # The first call alone finds the format; the others need not repeat its fallbacks.
        first = wanted if len(self._formats()) == 1 else per_call
        await self._round(_split(first, per_call))
        if several:  # ask again for as many as it gives
            per_call = max(1, self._choices)
        for _ in range(_MAX_ROUNDS):
            before = self._choices
            if self._stop or before >= wanted:
                return
            await self._round(_split(wanted - before, per_call))
            if self._choices == before:
                return

    async def _round(self, sizes: list[int]) -> None:
        """Make several calls, a few at a time, that ask for ``sizes`` choices."""
        if len(sizes) == 1:  # a group takes longer than the rest of our own work
            self._asked += sizes[0]
            return await self._call(sizes[0], self._asked - sizes[0])
        return await in_loop(self._together(sizes))

    async def _together(self, sizes: list[int]) -> None:
        gate = asyncio.Semaphore(MAX_CONCURRENT)

        async def call(n: int, offset: int) -> None:
            async with gate:
                await self._call(n, offset)

        async with asyncio.TaskGroup() as group:
            for size in sizes:
                group.create_task(call(size, self._asked))
                self._asked += size

    async def _call(self, n: int, offset: int) -> None:
        if self._stop is None:
            try:
                await self._attempts(n, offset)
            except BudgetSpent as exc:
                self._stop = BudgetSpent(str(exc))

    async def _attempts(self, n: int, offset: int) -> None:
        """Ask until there is a reply, and keep it, or no hope.

        A refusal is taken for one of the probabilities of tokens first, then of several choices:
        only if the same format is refused without them, too, it was the format.
        """
        prompt, formats = self._prompt, list(self._formats())
        failed, tries, doubted = 0, 0, False
        refused: ReplyFormat | None = None  # format in which several choices were refused
        without: tuple[int, ReplyFormat] | None = None  # choices and format; probabilities refused
        while True:
            tries += 1
            if self._prompt is not prompt:  # what another path refused says nothing of this one
                prompt, formats = self._prompt, list(self._formats())
                doubted, refused, without = False, None, None
            where = self._where(prompt)
            logprobs = 0 if without else self._logprobs(where)
            outcome = await self._ask(prompt, n, offset, formats[0], logprobs)
            if isinstance(outcome, Reply):
                if outcome.texts and (logprobs or without == (n, formats[0])):
                    tells = bool(logprobs and any(outcome.likely))
                    working_formats().found_logprobs(*where, tells)
                if n > 1 and outcome.choices > 1:
                    working_formats().found_several(*where)
                if refused == formats[0]:
                    working_formats().found_single(*where)
                return self._keep(outcome, prompt, n, offset, formats[0])
            if outcome.status in NOT_SERVED and self._may_change_wire(prompt):
                self._tries.append(f"{prompt.wire}: {outcome.line}")
                self._take_other_wire()
                working_formats().found_completing(*where, completes=False)
                continue
            adapts = outcome.status in FALLBACK_STATUS and not outcome.too_long
            if adapts and self._may_be_refused(where, logprobs):
                self._tries.append(f"{formats[0]}, logprobs = {logprobs}: {outcome.line}")
                doubted = outcome.status == TRANSIENT_STATUS and not doubted
                without = None if doubted else (n, formats[0])
                continue
            doubtful = n > 1 and not working_formats().several(*where)
            changeable = self._may_change_wire(prompt)
            adaptable = doubtful or changeable or self._may_fall_back(prompt, formats)
            if adapts and adaptable:
                self._tries.append(f"{formats[0]}{f', n = {n}' * (n > 1)}: {outcome.line}")
                doubted = outcome.status == TRANSIENT_STATUS and not doubted
                if not doubted and doubtful:
                    n, refused = 1, formats[0]
                elif not doubted and changeable:
                    self._take_other_wire()
                elif not doubted:
                    formats.pop(0)
                continue
            failed += 1
            self._tries.append(outcome.line)
            if not await self._wait(outcome, failed, tries):
                return None

    def _where(self, prompt: Prompt) -> tuple[str, str]:
        """Return the key under which it is remembered what a server can do with a prompt."""
        path = PATHS[Wire.COMPLETION] if prompt.wire == Wire.COMPLETION else ""
        return self._given.shown + path, self._given.profile.model

    def _logprobs(self, where: tuple[str, str]) -> int:
        told = working_formats().logprobs(*where)
        return 0 if told is False else self._request.logprobs

    def _may_be_refused(self, where: tuple[str, str], logprobs: int) -> bool:
        """Return whether a server may refuse to tell probabilities: it has not told any before."""
        return bool(logprobs) and not working_formats().logprobs(*where)

    def _may_change_wire(self, refused: Prompt) -> bool:
        """Return whether there is another wire and this one has not worked for another call."""
        other = self._request.otherwise
        if other is None or refused is other:
            return False
        return self._prompt is other or not working_formats().completes(*self._where(refused))

    def _take_other_wire(self) -> None:
        """Go on with the other prompt, if there is one; another call may have done so."""
        other = self._request.otherwise
        if other is not None:
            self._prompt = other

    def _formats(self) -> tuple[ReplyFormat, ...]:
        if self._prompt.wire != Wire.JSON:
            return (ReplyFormat.TEXT,)
        where, formats = self._where(self._prompt), self._endpoint.profile.formats
        return working_formats().to_try(*where, formats)

    def _may_fall_back(self, prompt: Prompt, formats: list[ReplyFormat]) -> bool:
        """Return whether there is a simpler format and this one has not worked for another call."""
        known = self._formats() if self._prompt is prompt else ()
        return len(formats) > 1 and known != (formats[0],)

    async def _wait(self, failure: Failure, failed: int, tries: int) -> bool:
        """Wait as long as a failure asks for; False = do not try again."""
        if not failure.retry or failed >= MAX_ATTEMPTS:
            suffix = f" ({tries} tries)" if tries > 1 else ""
            self._stop = CompletionFailed(failure.line + suffix)
            return False
        # A kept connection that the server has closed meanwhile is no reason to wait.
        broken = failure.status == 0 and failed == 1
        seconds = 0.0 if broken else pause(failed - 1, failure.retry_after)
        if time.monotonic() + seconds > self._until:
            line = f"{failure.line}; a retry would miss the deadline of {self._allowed:.1f} s"
            self._stop = CompletionFailed(line)
            return False
        await in_loop(asyncio.sleep(seconds))
        return True

    async def _ask(
        self, prompt: Prompt, n: int, offset: int, reply_format: ReplyFormat, logprobs: int
    ) -> Reply | Failure:
        """Ask where the server is said to be, then where it may have its paths in fact."""
        asked = self._endpoint
        fields = asked.fields(self._request, prompt, reply_format, n, offset, logprobs)
        outcome = await self._meter.send(asked, prompt, fields)
        if isinstance(outcome, Reply) or not outcome.astray:
            return outcome
        for endpoint in self._others if self._endpoint is asked else [self._endpoint]:
            found = await self._meter.send(endpoint, prompt, fields)
            if isinstance(found, Reply) or found.status in _SERVED:
                self._tries.append(outcome.line)
                self._endpoint, self._others = endpoint, []
                return found
        return outcome

    def _keep(
        self, reply: Reply, prompt: Prompt, n: int, offset: int, reply_format: ReplyFormat
    ) -> None:
        self._choices += min(reply.choices, n)
        self._tries += [f"{self._endpoint.shown} {fault}" for fault in reply.faults]
        if reply.texts:
            working_formats().found_base(self._given.base_url, self._endpoint.base_url)
            self._texts[offset] = reply.texts[:n]
            self._tokens[offset] = reply.likely[:n]
            self._model, self._format = reply.model or self._model, reply_format
            self._wire = prompt.wire
            where = self._where(prompt)
            if prompt.wire == Wire.JSON:
                working_formats().worked(*where, reply_format)
            elif prompt.wire == Wire.COMPLETION:
                working_formats().found_completing(*where, completes=True)
            if prompt is self._request.otherwise:  # it answers what was refused by the first one
                first = self._where(self._request.prompt)
                working_formats().found_completing(*first, completes=False)


def _split(total: int, size: int) -> list[int]:
    """Return parts of at most ``size`` that add up to ``total``."""
    whole, rest = divmod(total, size)
    return [size] * whole + ([rest] if rest else [])
