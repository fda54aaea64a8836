"""Requests and answers of both servers: bodies, errors, and who may ask."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import anyio
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from icpi_ros import __version__
from icpi_ros.llm.addresses import is_this_machine
from icpi_ros.llm.prompt.tokens import excerpt
from icpi_ros.llm.server.request import Refused, ServedModel

CHAT, COMPLETIONS = "/v1/chat/completions", "/v1/completions"
MAX_BODY = 2_000_000
"""Longest request [bytes]."""
MAX_DRAINED = 8 * MAX_BODY
"""Part of a longer one that is read before it is refused, for clients that write first [bytes]."""
BODY_DEADLINE = 30.0
"""Time for a request to arrive [s]."""
CLOSED = 499
"""Status for the log where the client has gone."""
FOREIGN = ("cross-site", "same-site")
"""Values of ``Sec-Fetch-Site`` with which a browser says that another page wants something."""


def application(model: ServedModel, answering: Sequence[BaseRoute], remote: bool) -> Starlette:
    """Return the application of a model.

    Args:
        model: what answers.
        answering: the routes that it answers at.
        remote: other machines may ask, by any name of this one.
    """
    said = _Description(model)
    routes = [
        Route("/", said.about),
        Route("/health", said.health),
        Route("/v1/models", said.models),
        Route("/v1/models/{model:path}", said.model),
        *answering,
    ]
    handlers = {Refused: _refused, HTTPException: _http_error, Exception: _broken}
    guard = Middleware(PageGuard, remote=remote)
    return Starlette(routes=routes, exception_handlers=handlers, middleware=[guard])


async def read_body(request: Request) -> bytes:
    """Return the body of a request.

    Raises:
        Refused: it is too long, or it does not arrive; or nobody is left to answer to.
    """
    kept, length = bytearray(), 0
    told = request.headers.get("content-length", "")
    if told.isdigit() and int(told[:20]) > MAX_DRAINED:
        raise Refused(f"the body is longer than {MAX_BODY} bytes: ask for less", status=413)
    with anyio.move_on_after(BODY_DEADLINE) as scope:
        try:
            async for chunk in request.stream():
                length += len(chunk)
                if length <= MAX_BODY:
                    kept += chunk
                if length > MAX_DRAINED:
                    break
        except ClientDisconnect:
            raise Refused("the client has left", status=CLOSED) from None
    if scope.cancelled_caught:
        raise Refused(f"the body did not arrive within {BODY_DEADLINE:g} s", status=408)
    if length > MAX_BODY:
        raise Refused(f"the body is longer than {MAX_BODY} bytes: ask for less", status=413)
    return bytes(kept)


class PageGuard:
    """Refusal of what comes from web pages: a browser on this machine opens any page's connections.

    A page of another origin sends ``Origin``, or ``Sec-Fetch-Site`` alone where it wants an image;
    one that had its own name changed to this machine's address (DNS rebinding) sends that name as
    ``Host``.
    """

    def __init__(self, app: ASGIApp, remote: bool) -> None:
        """Stand before ``app``; with ``remote`` any name of this machine will do."""
        self._app, self._remote = app, remote

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer 403."""
        reason = self._reason(Headers(scope=scope)) if scope["type"] == "http" else None
        if reason is None:
            await self._app(scope, receive, send)
        else:
            refused = Refused(reason, status=403)
            await JSONResponse(refused.body, refused.status)(scope, receive, send)

    def _reason(self, headers: Mapping[str, str]) -> str | None:
        if origin := headers.get("origin"):
            return f"web pages may not ask this server (Origin: {excerpt(origin)})"
        if (site := headers.get("sec-fetch-site")) in FOREIGN:
            return f"web pages may not ask this server (Sec-Fetch-Site: {site})"
        host = headers.get("host")
        if host is None or self._remote or is_this_machine(f"http://{host}"):
            return None
        return f"the Host {excerpt(host)!r} is not this machine: ask 127.0.0.1 or localhost"


class _Description:
    """Answers about the model itself."""

    def __init__(self, model: ServedModel) -> None:
        self._model = model

    async def about(self, _request: Request) -> Response:
        paths = f"POST {COMPLETIONS}, POST {CHAT}"
        return PlainTextResponse(f"icpi serve: {self._model.line}; {paths}\n")

    async def health(self, _request: Request) -> Response:
        model = self._model
        return JSONResponse(
            {
                "status": "ok",
                "model": model.name,
                "language_model": model.is_language_model,
                "description": model.description,
                "version": __version__,
            }
        )

    async def models(self, _request: Request) -> Response:
        return JSONResponse({"object": "list", "data": [self._model.card]})

    async def model(self, request: Request) -> Response:
        self._model.require(request.path_params["model"])
        return JSONResponse(self._model.card)


async def _refused(_request: Request, exc: Exception) -> Response:
    assert isinstance(exc, Refused)
    return JSONResponse(exc.body, exc.status)


async def _http_error(request: Request, exc: Exception) -> Response:
    assert isinstance(exc, HTTPException)
    paths = f"POST {COMPLETIONS} and POST {CHAT}"
    messages = {
        404: f"no such path: this server has GET /v1/models, {paths}",
        405: f"{request.method} is not allowed here: {paths}, GET for the other paths",
    }
    refused = Refused(messages.get(exc.status_code, exc.detail), status=exc.status_code)
    return JSONResponse(refused.body, exc.status_code, exc.headers)


async def _broken(_request: Request, _exc: Exception) -> Response:
    return JSONResponse(Refused("the server failed: see its log", status=500).body, 500)
