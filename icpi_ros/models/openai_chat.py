"""Chat Completions over HTTP: OpenAI, Azure, vLLM, Ollama, llama.cpp, LM Studio.

The ``openai`` package speaks the wire.  Its timeout is per read and its retries obey any
``Retry-After``, so deadline and retries are our own: one event loop in a worker thread per call,
cancelled at the deadline, whatever the server does.
"""

from __future__ import annotations

import asyncio
import os
import queue
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from icpi_ros.errors import CompletionFailed
from icpi_ros.models.completer import Completion, Message
from icpi_ros.models.failures import Failure, classify, pause

if TYPE_CHECKING:
    import openai

DEFAULT_BASE_URL = "https://api.openai.com/v1"
DEFAULT_KEY_VARIABLE = "OPENAI_API_KEY"
DEFAULT_DEADLINE = 30.0
"""Wall time of one completion, retries included [s]."""
MAX_ATTEMPTS = 5
_GRACE = 0.25
"""How long the caller waits for the worker beyond the deadline [s]."""
_PLACEHOLDER_LENGTH = 8
"""Shorter keys ("EMPTY", "none") are placeholders for local servers, not secrets."""


class OpenAIChat:
    """One model behind one OpenAI-compatible endpoint.

    The key is read from the environment at each call and kept nowhere.

    Args:
        model: name of the model; "" = environment variable ICPI_MODEL.
        base_url: of the endpoint, with its ``/v1``; "" = OPENAI_BASE_URL, else OpenAI's own.
        key_variable: environment variable that holds the key.
        deadline: wall time of one completion, retries included [s].
    """

    def __init__(
        self,
        model: str = "",
        base_url: str = "",
        key_variable: str = DEFAULT_KEY_VARIABLE,
        deadline: float = DEFAULT_DEADLINE,
    ) -> None:
        """Keep the settings and import the client, so that no call pays for the import."""
        self.model = model or os.environ.get("ICPI_MODEL", "").strip()
        self.base_url = (
            base_url or os.environ.get("OPENAI_BASE_URL", "").strip() or DEFAULT_BASE_URL
        )
        self.key_variable = key_variable
        self.deadline = deadline
        self._tls: Any = None
        self._missing = ""
        try:
            import httpx2
            import openai  # noqa: F401
        except ImportError as exc:
            self._missing = f"the openai package cannot be imported ({exc}): install openai>=3,<4"
        else:
            self._tls = httpx2.create_ssl_context()  # 20 ms: once, not per call

    @property
    def endpoint(self) -> str:
        """The base URL without user name, password and query, for messages and records."""
        try:
            parts = urlsplit(self.base_url)
            port = f":{parts.port}" if parts.port else ""
        except ValueError:
            return "an invalid URL"
        return f"{parts.scheme}://{parts.hostname or ''}{port}{parts.path}"

    def complete(self, messages: Sequence[Message]) -> Completion:
        """Return the model's completion; see :meth:`Completer.complete`."""
        key = self._key()
        start = time.monotonic()
        answer: queue.Queue[Completion | str] = queue.Queue(1)
        worker = threading.Thread(
            target=self._work, args=(list(messages), key, answer), name="completion", daemon=True
        )
        worker.start()
        try:
            result = answer.get(timeout=self.deadline + _GRACE)
        except queue.Empty:
            result = f"no answer from {self.endpoint} within {self.deadline:g} s"
        if isinstance(result, str):
            raise CompletionFailed(_without(key, result))
        return replace(
            result,
            text=_without(key, result.text),
            model=_without(key, result.model),
            latency=time.monotonic() - start,
        )

    def _key(self) -> str:
        """Check everything that can be wrong before the network is used; return the key."""
        key = os.environ.get(self.key_variable, "").strip()
        if self._missing:
            raise CompletionFailed(self._missing)
        if not key:
            raise CompletionFailed(
                f"no API key: set {self.key_variable} (any value for a local server without keys)"
            )
        if not (key.isascii() and key.isprintable()):
            raise CompletionFailed(f"the value of {self.key_variable} is not printable ASCII")
        if not self.model:
            raise CompletionFailed("no model: set the option model or ICPI_MODEL")
        if not self.endpoint.startswith(("http://", "https://")):
            raise CompletionFailed(
                f"base URL {self.endpoint} must start with http:// or https://: "
                "set the option base_url or OPENAI_BASE_URL"
            )
        return key

    def _work(
        self, messages: list[Message], key: str, answer: queue.Queue[Completion | str]
    ) -> None:
        """Thread body: put a completion, or one line that says why there is none."""
        try:
            answer.put(asyncio.run(self._within_deadline(messages, key)))
        except Exception as exc:  # nothing of the exception but its type: it may hold the key
            answer.put(f"the client failed with {type(exc).__name__}")

    async def _within_deadline(self, messages: list[Message], key: str) -> Completion | str:
        failures: list[str] = []
        try:
            async with asyncio.timeout(self.deadline):
                return await self._with_retries(messages, key, failures)
        except TimeoutError:
            last = f" (last: {failures[-1]})" if failures else ""
            return f"no answer from {self.endpoint} within {self.deadline:g} s{last}"

    async def _with_retries(
        self, messages: list[Message], key: str, failures: list[str]
    ) -> Completion | str:
        """Ask up to MAX_ATTEMPTS times; every failure's line is appended to ``failures``."""
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient

        give_up = time.monotonic() + self.deadline
        async with AsyncOpenAI(
            api_key=key,
            base_url=self.base_url,
            max_retries=0,
            timeout=self.deadline,
            http_client=DefaultAsyncHttpxClient(verify=self._tls),
        ) as client:
            for attempt in range(MAX_ATTEMPTS):
                outcome = await self._ask(client, messages)
                if isinstance(outcome, Completion):
                    return outcome
                failures.append(outcome.line)
                wait = pause(attempt, outcome.retry_after)
                if not outcome.retry or attempt == MAX_ATTEMPTS - 1:
                    break
                if time.monotonic() + wait > give_up:
                    return f"{outcome.line}; a retry would miss the deadline of {self.deadline:g} s"
                await asyncio.sleep(wait)
        tries = f" ({len(failures)} tries)" if len(failures) > 1 else ""
        return failures[-1] + tries

    async def _ask(
        self, client: openai.AsyncOpenAI, messages: list[Message]
    ) -> Completion | Failure:
        """Send one request."""
        try:
            reply: Any = await client.chat.completions.create(
                model=self.model,
                messages=messages,  # type: ignore[arg-type]
            )
            return read_reply(reply, self.model)
        except CompletionFailed as exc:
            return Failure(f"{self.endpoint} {exc}")
        except Exception as exc:
            return classify(exc, self.endpoint, self.model, self.key_variable)


def read_reply(reply: Any, model: str) -> Completion:
    """Take a Chat Completions response apart; servers leave out or mistype anything.

    Raises:
        CompletionFailed: no text in it; the message continues "<endpoint> ...".
    """
    if isinstance(reply, str):
        raise CompletionFailed(
            "answered with text that is not JSON: is the base URL right (most end in /v1)?"
        )
    choices = getattr(reply, "choices", None)
    if not isinstance(choices, list) or not choices:
        raise CompletionFailed("answered without choices")
    message = getattr(choices[0], "message", None)
    content = getattr(message, "content", None)
    if getattr(message, "refusal", None):
        raise CompletionFailed(f"refused: model {model} declined to answer")
    if not isinstance(content, str) or not content.strip():
        reason = getattr(choices[0], "finish_reason", None)
        why = f" (finish_reason {reason})" if isinstance(reason, str) and len(reason) < 40 else ""
        raise CompletionFailed(f"answered without text{why}")
    answered = getattr(reply, "model", None)
    return Completion(
        text=content,
        usage=_usage(getattr(reply, "usage", None)),
        model=answered if isinstance(answered, str) and answered else model,
    )


def _usage(usage: Any) -> dict[str, int]:
    """Return the token counts that a server told; unknown ones are left out."""
    cached = getattr(getattr(usage, "prompt_tokens_details", None), "cached_tokens", None)
    counts = {
        "prompt_tokens": getattr(usage, "prompt_tokens", None),
        "completion_tokens": getattr(usage, "completion_tokens", None),
        "cached_tokens": cached,
    }
    return {k: v for k, v in counts.items() if isinstance(v, int) and not isinstance(v, bool)}


def _without(key: str, text: str) -> str:
    """Return ``text`` with the key, should a server have echoed it, taken out."""
    return text.replace(key, "[key removed]") if len(key) >= _PLACEHOLDER_LENGTH else text
