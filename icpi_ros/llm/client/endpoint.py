"""One model at one URL: its key, its address for people, one request to it."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.llm.addresses import base_url_of, fault_of, is_this_machine, proxy_before, shown
from icpi_ros.llm.client.completer import CompletionRequest, Prompt, Wire
from icpi_ros.llm.client.connections import connections
from icpi_ros.llm.client.formats import ReplyFormat, response_format
from icpi_ros.llm.client.profile import Profile
from icpi_ros.llm.client.responses import Addressee
from icpi_ros.llm.client.token_count import Tokeniser
from icpi_ros.llm.local_http import is_served

DEFAULT_BASE_URL = "https://api.openai.com/v1"
PATHS = {
    Wire.COMPLETION: "/completions",
    Wire.TURNS: "/chat/completions",
    Wire.JSON: "/chat/completions",
}
LINE_END = "\n"
"""Where a bare completion stops: the model would invent further lines."""
_NO_KEY = "none"
"""Key for a server that needs none: the header must hold something."""


@dataclass(frozen=True)
class Endpoint:
    """Server and profile of one model.

    Attributes:
        profile: the model, and what may be sent to it.
        base_url: of the server.
    """

    profile: Profile
    base_url: str

    @classmethod
    def of(cls, profile: Profile) -> Endpoint:
        """Return the endpoint of a profile; without a URL the environment's or OpenAI's own."""
        own = os.environ.get("OPENAI_BASE_URL", "").strip()
        return cls(profile, base_url_of(profile.base_url or own) or DEFAULT_BASE_URL)

    @functools.cached_property
    def shown(self) -> str:
        """The base URL without user name, password and query, for messages and records."""
        return shown(self.base_url)

    def at(self, base_url: str) -> Endpoint:
        """Return the same model at another base URL."""
        return self if base_url == self.base_url else Endpoint(self.profile, base_url)

    @property
    def is_here(self) -> bool:
        """True if the server is on this machine: it is asked without a key if none is set."""
        return is_this_machine(self.base_url)

    @property
    def tokeniser(self) -> Tokeniser:
        """Kind of the model's tokeniser; without an entry small models are taken to run here.

        The small models that were measured have a token per digit, and a count that is too low is
        worse than one too high: budget and context end sooner than it says.
        """
        here = Tokeniser.PER_DIGIT if self.is_here else Tokeniser.PER_THREE_DIGITS
        return self.profile.tokeniser or here

    @property
    def addressee(self) -> Addressee:
        """The endpoint as its failures name it."""
        profile = self.profile
        proxy = proxy_before(self.base_url)
        return Addressee(self.shown, profile.model, profile.key_variable, proxy)

    def check(self) -> None:
        """Check everything that can be wrong before the network is used.

        Raises:
            CompletionFailed: names the setting that is missing or wrong.
        """
        self._key()
        if not self.profile.model:
            raise CompletionFailed("no model: set the option model or ICPI_MODEL")
        if fault := fault_of(self.base_url):
            settings = "set the option base_url or OPENAI_BASE_URL"
            raise CompletionFailed(f"base URL {self.shown} {fault}: {settings}")

    def _key(self) -> str:
        """Return the key as the environment has it now; it is kept nowhere."""
        variable = self.profile.key_variable
        key = os.environ.get(variable, "").strip()
        if not key and (not self.profile.needs_key or self.is_here):
            return _NO_KEY
        if not key:
            raise CompletionFailed(
                f"no API key: set {variable} for {self.shown} (any value if it takes none)"
            )
        if not (key.isascii() and key.isprintable()):
            raise CompletionFailed(f"the value of {variable} is not printable ASCII")
        return key

    def _client(self) -> Any:
        return connections().client(self.base_url)

    async def send(self, fields: dict[str, Any], wire: Wire) -> tuple[bytes, Mapping[str, str]]:
        """Post one request; return body and headers of the response, raise what ``openai`` raises.

        The package's own models of a response are not used: they take 0.4 ms and let wrong
        types through.
        """
        if is_served(self.base_url):
            server = connections().local(self.base_url)
            return await server.post(PATHS[wire], fields, self._key())
        import httpx2

        response = await self._client().post(
            PATHS[wire], body=fields, cast_to=httpx2.Response, options=self._options()
        )
        return bytes(response.content), response.headers

    async def list_models(self) -> None:
        """Ask for the list of models, which costs nothing; raises what ``openai`` raises."""
        import httpx2

        await self._client().get("/models", cast_to=httpx2.Response, options=self._options())

    def _options(self) -> dict[str, Any]:
        return {"headers": {"Authorization": f"Bearer {self._key()}"}}

    def fields(
        self,
        request: CompletionRequest,
        prompt: Prompt,
        reply_format: ReplyFormat,
        n: int,
        offset: int,
        logprobs: int = 0,
    ) -> dict[str, Any]:
        """Return the body of a request: of a chat only what the profile allows.

        Every server of ``/completions`` takes stop, limit, temperature and seed.

        Args:
            request: to be sent.
            prompt: of the request, over the wire that is used.
            reply_format: format of the reply.
            n: choices wanted.
            offset: number of the first of them among the samples of ``request``.
            logprobs: likeliest tokens wanted at every place; 0 = none.
        """
        profile = self.profile
        bare = prompt.wire == Wire.COMPLETION
        limit = request.answer_tokens(self.tokeniser)
        body: dict[str, Any] = {"model": profile.model}
        if bare:
            body |= {"prompt": prompt.text, "stop": [LINE_END], "max_tokens": limit}
        else:
            body["messages"] = list(prompt.messages)
            body |= response_format(reply_format, request.numbers, request.largest)
            tight = profile.token_limit and not profile.max_tokens and not request.words
            if prompt.wire == Wire.TURNS and tight:
                body["stop"] = [LINE_END]  # there is no room for thoughts before the numbers
        if n > 1:
            body["n"] = n
        if logprobs:
            told = {"logprobs": logprobs} if bare else {"logprobs": True, "top_logprobs": logprobs}
            body |= told
        if (profile.temperature or bare) and request.temperature is not None:
            body["temperature"] = request.temperature
        if (profile.seed or bare) and request.seed is not None:
            body["seed"] = request.seed + offset
        if profile.token_limit and not bare:
            body[profile.token_limit] = max(profile.max_tokens, request.words) or limit
        if profile.effort and not bare:
            body["reasoning_effort"] = profile.effort
        return body
