"""Chat Completions over HTTP: OpenAI, Azure, vLLM, Ollama, llama.cpp, LM Studio.

The ``openai`` package speaks the wire.  Its timeout is per read and its retries obey any
``Retry-After``, so deadline, retries and the reading of responses are our own.
"""

from __future__ import annotations

import math
import time

from icpi_ros.core.errors import CompletionFailed, IcpiError, InvalidValue
from icpi_ros.core.redact import watch
from icpi_ros.llm.client.budget import Meter
from icpi_ros.llm.client.completer import Completion, CompletionRequest
from icpi_ros.llm.client.endpoint import Endpoint
from icpi_ros.llm.client.exchange import CompletionMeter, Exchange
from icpi_ros.llm.client.profile import Profile
from icpi_ros.llm.client.wire import wire


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

        Args:
            profile: the model, and what may be sent to it.
            meter: of the spending, with its budget.

        Raises:
            InvalidValue: a budget of money is set and the price is unknown.
        """
        if math.isfinite(meter.budget.money) and not profile.priced:
            raise InvalidValue(
                f"a budget of money needs the price of model {profile.name}: "
                "add `price:` to its entry in models.yaml, or limit calls or tokens instead"
            )
        self.profile, self.meter = profile, meter
        self._endpoint = Endpoint.of(profile)
        self._missing = ""
        watch(profile.key_variable)
        try:
            wire()
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

    def _outcome(self, request: CompletionRequest, until: float) -> Completion | IcpiError:
        start = time.monotonic()
        try:
            return wire().run(self._exchange(request, until), until)
        except TimeoutError:  # the loop itself hangs or is overrun
            seconds = max(until - start, 0.0)
            return CompletionFailed(f"no answer from {self.endpoint} within {seconds:.1f} s")

    async def _exchange(self, request: CompletionRequest, until: float) -> Completion | IcpiError:
        meter = CompletionMeter(self.meter, self.profile)
        return await Exchange(self._endpoint, request, until, meter).run()
