"""The endpoint as a Starlette application (paths, bodies, errors) in a process of its own."""

from __future__ import annotations

import copy
import errno
import ipaddress
import signal
import socket
from dataclasses import dataclass
from types import FrameType
from typing import Any

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from threadpoolctl import threadpool_limits
from uvicorn import Config, Server
from uvicorn.config import LOGGING_CONFIG

from icpi_ros import __version__
from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.llm.server.answering import DESCRIPTION, model_card, respond
from icpi_ros.llm.server.request import MODEL, Refused, unknown_model

_CHAT = "/v1/chat/completions"
MAX_BODY = 2_000_000
"""Longest request [bytes]."""
MAX_DRAINED = 8 * MAX_BODY
"""Part of a longer one that is read before it is refused, for clients that write first [bytes]."""
BODY_DEADLINE = 30.0
"""Time for a request to arrive [s]."""
MAX_CONCURRENT = 4
"""Requests that are answered at the same time; others wait."""


def create_app() -> Starlette:
    """Return the application; numpy's threads are its caller's to limit."""
    endpoint = _Endpoint()
    routes = [
        Route("/", _about),
        Route("/health", _health),
        Route("/v1/models", _models),
        Route("/v1/models/{model:path}", _model),
        Route(_CHAT, endpoint.chat, methods=["POST"]),
    ]
    handlers = {Refused: _refused, HTTPException: _http_error, Exception: _broken}
    return Starlette(routes=routes, exception_handlers=handlers)


class _Endpoint:
    """Answers chats, a bounded number at a time."""

    def __init__(self) -> None:
        self._limiter = CapacityLimiter(MAX_CONCURRENT)

    async def chat(self, request: Request) -> Response:
        body = await _body(request)
        return JSONResponse(await run_sync(respond, body, limiter=self._limiter))


async def _body(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        Refused: it is too long, or it does not arrive.
    """
    kept, length = bytearray(), 0
    with anyio.move_on_after(BODY_DEADLINE) as scope:
        async for chunk in request.stream():
            length += len(chunk)
            if length <= MAX_BODY:
                kept += chunk
            if length > MAX_DRAINED:
                break
    if scope.cancelled_caught:
        raise Refused(f"the body did not arrive within {BODY_DEADLINE:g} s", status=408)
    if length > MAX_BODY:
        raise Refused(f"the body is longer than {MAX_BODY} bytes: ask for less", status=413)
    return bytes(kept)


async def _about(_request: Request) -> Response:
    return PlainTextResponse(f"icpi serve: model {MODEL} ({DESCRIPTION}); POST {_CHAT}\n")


async def _health(_request: Request) -> Response:
    return JSONResponse({"status": "ok", "model": MODEL, "version": __version__})


async def _models(_request: Request) -> Response:
    return JSONResponse({"object": "list", "data": [model_card()]})


async def _model(request: Request) -> Response:
    model = request.path_params["model"]
    if model != MODEL:
        raise unknown_model(model)
    return JSONResponse(model_card())


async def _refused(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, Refused)
    return JSONResponse(exc.body, exc.status)


async def _http_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    messages = {
        404: f"no such path: this server has GET /v1/models and POST {_CHAT}",
        405: f"{request.method} is not allowed here: POST {_CHAT}, GET for the other paths",
    }
    refused = Refused(messages.get(exc.status_code, exc.detail), status=exc.status_code)
    return JSONResponse(refused.body, exc.status_code, exc.headers)


async def _broken(_request: Request, _exc: Exception) -> Response:
    return JSONResponse(Refused("the server failed: see its log", status=500).body, 500)


MAX_CONNECTIONS = 256
"""Connections at the same time; more are answered with status 503."""
GRACE = 5
"""Time for requests under way to end when the server stops [s]."""


class CannotListen(IcpiError):
    """Address that is taken, or that this process may not use."""


@dataclass(frozen=True)
class Address:
    """Address to listen at.

    Attributes:
        host: name or address.
        port: 0 = any free one.
        remote: addresses other than loopback are allowed.
    """

    host: str
    port: int
    remote: bool = False

    def open(self) -> socket.socket:
        """Return a socket that is bound to the address.

        Raises:
            UsageError: no such host, or one that others could reach.
            CannotListen: the port is taken.
        """
        try:
            family, kind, protocol, _, where = socket.getaddrinfo(
                self.host, self.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
            )[0]
        except (OSError, UnicodeError) as exc:
            raise UsageError(f"--host {self.host!r}: no such host ({exc})") from None
        if not self.remote and not ipaddress.ip_address(where[0]).is_loopback:
            raise UsageError(
                f"--host {self.host!r} is no loopback address, and this server has no keys: use "
                "127.0.0.1, or add --allow-remote to let others in"
            )
        found = socket.socket(family, kind, protocol)
        try:
            found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            found.bind(where)
            found.listen(MAX_CONNECTIONS)
        except OSError as exc:
            found.close()
            raise CannotListen(self._problem(exc)) from None
        return found

    def _problem(self, exc: OSError) -> str:
        what = "is taken" if exc.errno == errno.EADDRINUSE else f"cannot be had ({exc.strerror})"
        other = "choose another with --port, or 0 for any free one"
        return f"port {self.port} of {self.host} {what}: {other}"


class _Announced(Server):
    """Server that prints its address once it listens, and ends cleanly on SIGINT and SIGTERM."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        for listening in sockets or []:
            host, port = listening.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(
                f"icpi serve: http://{shown}:{port}/v1, model {MODEL} ({DESCRIPTION})", flush=True
            )

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        self.should_exit = True


def serve(address: Address, log_level: str) -> None:
    """Answer until SIGINT or SIGTERM; call it in the main thread.

    Raises:
        UsageError: the host is not allowed.
        CannotListen: the port is taken.
    """
    server = _Announced(_config(log_level))
    # uvicorn passes a signal on, after its own clean end, to the handler it found.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.stop)
    # One thread each: the digits do not depend on the machine, and requests run side by side.
    with address.open() as listening, threadpool_limits(1):
        server.run(sockets=[listening])


def _config(log_level: str) -> Config:
    return Config(
        create_app(),
        http="h11",
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=_logging(),
        log_level={"warn": "warning"}.get(log_level, log_level),
        limit_concurrency=MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )


def _logging() -> dict[str, Any]:
    """Return uvicorn's logging, all of it to stderr."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["handlers"]["access"]["stream"] = "ext://sys.stderr"
    return config
