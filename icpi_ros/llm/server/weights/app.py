"""A language model with weights at the same paths as the stand-in, by llama.cpp."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from icpi_ros.core.text import printable
from icpi_ros.llm.server.listening import Address, AnnouncedServer
from icpi_ros.llm.server.request import LIMITS, Refused, ServedModel, read_fields, whole
from icpi_ros.llm.server.web import CHAT, CLOSED, COMPLETIONS, application, read_body
from icpi_ros.llm.server.weights import llama
from icpi_ros.llm.server.weights.gguf import Header
from icpi_ros.llm.server.weights.packages import find_weights

ANSWER_TIMEOUT = 3600.0
"""Longest silence of llama.cpp within an answer [s]; a long one of a large model takes minutes."""
ALIAS = "icpi-local"
"""Name under which whatever is served may be asked."""
DEFAULT_LIMIT = 256
"""Tokens of an answer without a limit of its own."""
SAMPLING = (
    *("temperature", "top_p", "top_k", "min_p", "seed", "stop", "logit_bias", "cache_prompt"),
    *("presence_penalty", "frequency_penalty", "repeat_penalty", "grammar", "json_schema"),
)
"""Fields that are handed on as they are; others are ignored."""
OWN = {
    COMPLETIONS: ("prompt", "logprobs", "echo"),
    CHAT: ("messages", "logprobs", "top_logprobs", "response_format"),
}
"""Fields of one path alone."""


def serve_weights(
    address: Address,
    log_level: str,
    named: str,
    threads: int | None = None,
    context: int | None = None,
    parallel: int | None = None,
) -> None:
    """Load the weights of a file or package, then answer until SIGINT or SIGTERM.

    Call it in the main thread.  None = the default of :class:`llama.Sizes`.

    Raises:
        UsageError: weights, sizes or a host that cannot be used.
        LoadingFailed: llama.cpp does not take the file.
        CannotListen: the port is taken.
    """
    runtime = llama.version()
    header = Header.read(find_weights(named))
    sizes = llama.Sizes.of(header, threads, context, parallel)
    server = AnnouncedServer(log_level)
    with address.open() as listening, llama.running(header, sizes, log_level) as socket:
        model = served(header, runtime)
        app = create_app(model, socket, sizes, server.ending, address.remote)
        server.answer(app, listening, model.line)


def served(header: Header, runtime: str) -> ServedModel:
    """Return the description of weights: their name is that of their file."""
    licence = f"licence {header.license}" if header.license else "no licence stated"
    called = f"{header.name!r}, " if header.name else ""
    return ServedModel(
        name=printable(header.path.stem),
        description=f"a language model: {called}{header.architecture}, {licence}; by llama.cpp",
        is_language_model=True,
        owner=f"{llama.PACKAGE} {runtime}",
        alias=ALIAS,
    )


def create_app(
    model: ServedModel,
    socket: Path,
    sizes: llama.Sizes,
    ending: anyio.Event,
    remote: bool = False,
) -> Starlette:
    """Return the application in front of llama.cpp at ``socket``; ``ending`` gives requests up."""
    endpoint = _Forwarding(model, socket, sizes, ending)
    routes = [
        Route(path, endpoint.answer, methods=["POST"], name=path) for path in (COMPLETIONS, CHAT)
    ]
    return application(model, routes, remote)


class _Forwarding:
    """Hands checked requests on; a client that hangs up takes its request with it."""

    def __init__(
        self, model: ServedModel, socket: Path, sizes: llama.Sizes, ending: anyio.Event
    ) -> None:
        self._model, self._sizes, self._ending = model, sizes, ending
        transport = httpx2.AsyncHTTPTransport(
            uds=str(socket), limits=httpx2.Limits(max_keepalive_connections=0)
        )
        self._llama = httpx2.AsyncClient(
            transport=transport, base_url="http://llama", timeout=ANSWER_TIMEOUT, trust_env=False
        )

    async def answer(self, request: Request) -> Response:
        """Return the model's answer, under its own name."""
        path = request.url.path
        fields = self._fields(await read_body(request), path)
        told: dict[str, Any] | None = None
        failure: Refused | None = None

        async def leave_with_client() -> None:
            while (await request.receive())["type"] != "http.disconnect":
                pass
            tasks.cancel_scope.cancel()

        async def leave_with_server() -> None:
            await self._ending.wait()
            tasks.cancel_scope.cancel()

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(leave_with_client)
            tasks.start_soon(leave_with_server)
            try:
                reply = await self._llama.post(path, content=json.dumps(fields).encode())
                told = await self._counted(_told(reply), fields["max_tokens"])
            except httpx2.HTTPError as exc:
                failure = Refused(f"llama.cpp does not answer ({type(exc).__name__})", status=500)
            except Refused as exc:  # not through the group, which would wrap it
                failure = exc
            tasks.cancel_scope.cancel()
        if told is not None:
            return JSONResponse(told)
        if failure is None and self._ending.is_set():
            failure = Refused("icpi serve was told to end", status=503)
        if failure is not None:
            raise failure
        return Response(status_code=CLOSED)

    async def _counted(self, body: dict[str, Any], limit: int) -> dict[str, Any]:
        """Return an answer under the model's name, with the tokens of all its choices.

        llama.cpp counts those of the first one alone.
        """
        usage = body.get("usage") or {}
        for choice in body.get("choices", [])[1:]:
            text = choice.get("text") or (choice.get("message") or {}).get("content") or ""
            counted = await self._llama.post("/tokenize", json={"content": text})
            more = min(len(counted.json().get("tokens", [])), limit)
            usage = {
                **usage,
                **{
                    name: usage.get(name, 0) + more
                    for name in ("completion_tokens", "total_tokens")
                },
            }
        told = {"model": self._model.name, "system_fingerprint": self._model.owner}
        return {**body, "usage": usage, **told}

    def _fields(self, body: bytes, path: str) -> dict[str, Any]:
        """Return what llama.cpp is asked."""
        fields = read_fields(body)
        self._model.require(fields.get("model"))
        limits = [whole(fields, name, None, 1) for name in LIMITS]
        handed_on = {
            name: fields[name] for name in (*SAMPLING, *OWN[path]) if fields.get(name) is not None
        }
        if isinstance(handed_on.get("prompt"), list) and len(handed_on["prompt"]) == 1:
            (handed_on["prompt"],) = handed_on["prompt"]
        if path == COMPLETIONS and not isinstance(handed_on.get("prompt"), str):
            raise Refused("prompt is not a text, or a list of one", "prompt")
        # A prompt that is read in other pieces gives other last digits, and so other samples.
        handed_on.setdefault("cache_prompt", False)
        handed_on["n"] = self._choices(fields)
        handed_on["max_tokens"] = min((n for n in limits if n is not None), default=DEFAULT_LIMIT)
        return handed_on

    def _choices(self, fields: dict[str, Any]) -> int:
        most = self._sizes.parallel
        try:
            return whole(fields, "n", 1, 1, most) or 1
        except Refused as exc:
            more = f"{exc.message}; icpi serve --parallel allows more"
            raise Refused(more, "n") from None


def _refusal(error: dict[str, Any], status: int) -> Refused:
    """Return an error of llama.cpp, whose message is its own, on one line."""
    if error.get("type") == "exceed_context_size_error":
        return Refused(
            f"the prompt has {error.get('n_prompt_tokens')} tokens, a choice may have "
            f"{error.get('n_ctx')} with its prompt: icpi serve --context allows more",
            code="context_length_exceeded",
        )
    message = " ".join(str(error.get("message") or "llama.cpp failed without a reason").split())
    return Refused(message, status=status if status >= 400 else 500)


def _told(reply: httpx2.Response) -> dict[str, Any]:
    """Return the body of an answer.

    Raises:
        Refused: it is an error.
    """
    body: Any = None
    with suppress(ValueError):
        body = json.loads(reply.content)
    if isinstance(body, dict) and "error" not in body and reply.is_success:
        return body
    error = body.get("error") if isinstance(body, dict) else None
    raise _refusal(error if isinstance(error, dict) else {}, reply.status_code)
