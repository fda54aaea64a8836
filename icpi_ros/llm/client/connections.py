"""Event loops and kept HTTP clients of this process, for every client of a model.

Connections stay open between calls, so a proposal pays for TCP and TLS once.  Servers elsewhere are
asked in one loop with a thread of its own, where callers of any thread wait.  Servers of this
machine answer sooner than two threads change places: they are asked in the caller's thread, which
has a loop only for what needs one, such as several requests at the same time.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import threading
import time
from collections.abc import AsyncIterator, Coroutine
from typing import Any, TypeVar

from icpi_ros.core.errors import CompletionFailed
from icpi_ros.llm import waiting
from icpi_ros.llm.addresses import is_this_machine
from icpi_ros.llm.local_http import IDLE, MAX_BODY, LocalServer, UnusableBody

GRACE = 0.25
"""Wait of a caller for the loop beyond its deadline [s]."""
_Result = TypeVar("_Result")


class Connections:
    """A running event loop and the HTTP clients that belong to it."""

    def __init__(self) -> None:
        """Start the loop's thread."""
        self._http: dict[bool, Any] = {}  # by whether the server is on this machine
        self._clients: dict[str, Any] = {}
        self._local: dict[str, LocalServer] = {}
        self._spare: list[asyncio.AbstractEventLoop] = []  # those of callers, while none uses them
        self._loop = asyncio.new_event_loop()
        threading.Thread(
            target=self._loop.run_forever, name="model connections", daemon=True
        ).start()

    def client(self, base_url: str) -> Any:
        """Return the ``AsyncOpenAI`` of a server; to be used in the loop only.

        It is kept, because making one takes 0.5 ms, but it knows no key: every request brings
        its own Authorization header.
        """
        from openai import AsyncOpenAI

        if base_url not in self._clients:
            self._clients[base_url] = AsyncOpenAI(
                api_key="brought by each request",
                admin_api_key="",
                base_url=base_url,
                max_retries=0,
                timeout=None,
                http_client=self.http(base_url),
            )
        return self._clients[base_url]

    def local(self, base_url: str) -> LocalServer:
        """Return the server of this machine at a base URL."""
        if base_url not in self._local:
            self._local[base_url] = LocalServer(base_url)
        return self._local[base_url]

    def http(self, base_url: str) -> Any:
        """Return the kept ``httpx2.AsyncClient`` for a server; to be used in the loop only.

        The first one of a kind takes about 20 ms, for the TLS context.

        Raises:
            CompletionFailed: the environment's proxy or TLS settings are wrong.
        """
        here = is_this_machine(base_url)
        if here not in self._http:
            try:
                self._http[here] = _http_client(here)
            except (ImportError, OSError, ValueError) as exc:  # can hold a proxy's password
                why = f"the HTTP client cannot be made ({type(exc).__name__}): check the"
                settings = "environment (HTTPS_PROXY, ALL_PROXY, SSL_CERT_FILE)"
                raise CompletionFailed(f"{why} {settings}") from None
        return self._http[here]

    def run(self, work: Coroutine[Any, Any, _Result], until: float) -> _Result:
        """Return the result of ``work``, which is cancelled at ``until`` [s of monotonic time].

        Raises:
            TimeoutError: ``work`` has not ended by ``until`` plus a small grace.
        """
        future = asyncio.run_coroutine_threadsafe(work, self._loop)
        try:
            return future.result(max(until - time.monotonic(), 0.0) + GRACE)
        finally:  # also when the caller was interrupted; does nothing to work that has ended
            future.cancel()

    def run_here(self, work: Coroutine[Any, Any, _Result], until: float) -> _Result:
        """Return the result of ``work``, which waits as :mod:`icpi_ros.llm.waiting` has it.

        It is run by this thread and cancelled at ``until``; in a thread whose own loop runs, as in
        a notebook, it is run as by :meth:`run`.
        """
        if waiting.has_loop():
            return self.run(work, until)
        return waiting.run(work, until, self._in_spare_loop)

    def _in_spare_loop(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        """Return the result of ``work``, run by this thread in a loop that nothing else uses."""
        try:
            loop = self._spare.pop()
        except IndexError:
            loop = asyncio.new_event_loop()
        task = loop.create_task(work)
        try:
            return loop.run_until_complete(task)
        finally:
            if not task.done():  # the caller was interrupted
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    loop.run_until_complete(task)
            self._spare.append(loop)


def connections() -> Connections:
    """Return this process's connections, made at first use.

    Two threads that are first at the same time may make one each; both work.

    Raises:
        CompletionFailed: a package is missing.
    """
    return _connections(os.getpid())  # threads do not survive a fork: a child needs its own


@functools.cache
def _connections(pid: int) -> Connections:
    try:
        import openai  # noqa: F401  # paid for here, not in the first call
    except ImportError as exc:
        why = f"the openai package cannot be imported ({exc}): install openai>=3,<4"
        raise CompletionFailed(why) from None
    return Connections()


def _http_client(here: bool) -> Any:
    """Return a client without deadlines of its own that follows no redirects.

    A redirect would take prompt and key to a server that was not configured, and so would a
    proxy where the server is on this machine, ``here``.
    """
    import httpx2

    return httpx2.AsyncClient(
        trust_env=not here,
        verify=httpx2.create_ssl_context(),
        timeout=None,
        limits=httpx2.Limits(
            max_connections=100, max_keepalive_connections=20, keepalive_expiry=IDLE
        ),
        event_hooks={"response": [_bound_body], "request": [_ask_for_plain]},
    )


async def _ask_for_plain(request: Any) -> None:
    request.headers["Accept-Encoding"] = "identity"


async def _bound_body(response: Any) -> None:
    """Let no response, however long or cleverly compressed, fill the memory."""
    coding = response.headers.pop("content-encoding", "identity").strip().lower()
    if response.is_success and coding != "identity":
        raise UnusableBody("answered compressed, though asked not to")
    response.stream = _bounded_stream()(response.stream)


@functools.cache
def _bounded_stream() -> Any:
    """Return the class of streams that raise when they get too long; its base is imported late."""
    import httpx2

    class Bounded(httpx2.AsyncByteStream):
        def __init__(self, stream: httpx2.AsyncByteStream) -> None:
            self._stream = stream

        async def __aiter__(self) -> AsyncIterator[bytes]:
            length = 0
            async for part in self._stream:
                length += len(part)
                if length > MAX_BODY:
                    raise UnusableBody(f"answered with more than {MAX_BODY / 1e6:g} MB")
                yield part

        async def aclose(self) -> None:
            await self._stream.aclose()

    return Bounded
