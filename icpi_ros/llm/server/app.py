"""The endpoint as a Starlette application: paths, bodies, errors."""

from __future__ import annotations

import anyio
from anyio import CapacityLimiter
from anyio.to_thread import run_sync
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from icpi_ros import __version__
from icpi_ros.llm.server.answering import DESCRIPTION, model_card, respond
from icpi_ros.llm.server.request import MODEL, Refused, unknown_model

_CHAT = "/v1/chat/completions"
MAX_BODY = 2_000_000
"""Longest request [bytes]."""
DRAINED = 8 * MAX_BODY
"""So much of a longer one is read before it is refused, for clients that write first [bytes]."""
BODY_DEADLINE = 30.0
"""Time for a request to arrive [s]."""
AT_ONCE = 4
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
        self._limiter = CapacityLimiter(AT_ONCE)

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
            if length > DRAINED:
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
