"""The stand-in for a language model as a Starlette application, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from threadpoolctl import threadpool_limits

from icpi_ros.llm.server.answering import respond, respond_completion
from icpi_ros.llm.server.listening import Address, AnnouncedServer
from icpi_ros.llm.server.request import STAND_IN
from icpi_ros.llm.server.web import CHAT, COMPLETIONS, application, read_body

MAX_CONCURRENT = 4
"""Requests that are answered at the same time; others wait."""


def create_app(remote: bool = False) -> Starlette:
    """Return the application; numpy's threads are its caller's to limit."""
    endpoint = _Endpoint()
    routes = [
        Route(CHAT, endpoint.chat, methods=["POST"]),
        Route(COMPLETIONS, endpoint.completions, methods=["POST"]),
    ]
    return application(STAND_IN, routes, remote)


class _Endpoint:
    """Answers patterns, a bounded number at a time."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(MAX_CONCURRENT)

    async def chat(self, request: Request) -> Response:
        return await self._answer(respond, request)

    async def completions(self, request: Request) -> Response:
        return await self._answer(respond_completion, request)

    async def _answer(
        self, answered: Callable[[bytes], dict[str, Any]], request: Request
    ) -> Response:
        body = await read_body(request)
        return JSONResponse(await run_sync(answered, body, limiter=self._limiter))


def serve(address: Address, log_level: str) -> None:
    """Answer until SIGINT or SIGTERM; call it in the main thread.

    Raises:
        UsageError: the host is not allowed.
        CannotListen: the port is taken.
    """
    server = AnnouncedServer(log_level)
    # One thread each: the digits do not depend on the machine, and requests run side by side.
    with address.open() as listening, threadpool_limits(1):
        server.answer(create_app(address.remote), listening, STAND_IN.line)
