"""HTTP to a server of this machine, without what requests to the world need.

A proposal from a small model next door takes some milliseconds, of which ``openai`` and its HTTP
client would be two.  Here one request is written in one piece over a kept connection.  What the
usual response of a completion is not (no length, another coding, an error) is read by ``h11``, and
what fails is raised as ``openai`` raises it: who asked need not know which of the two it was.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import select
import socket
import time
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

from icpi_ros.llm.addresses import is_this_machine
from icpi_ros.llm.waiting import in_loop, ready

MAX_BODY = 8_000_000
"""Longest response that is read [bytes]; a completion has a few thousand."""
MAX_HEAD = 65_536
"""Longest head of a response [bytes]."""
MAX_PIECE = 65_536
"""Most that is received at once [bytes]."""
IDLE = 60.0
"""Lifetime of an unused connection [s]: trials are seconds apart."""
_PLAIN = re.compile(r"http://[A-Za-z0-9.:\[\]-]+(?:/[A-Za-z0-9._~/-]*)?")
_HEAD_END = re.compile(rb"\n\r?\n")
_STATUS = re.compile(r"HTTP/1\.1 200(?: .*)?")
_HEADER = re.compile(r"([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*([^\r\n]*)")
_LENGTH = re.compile(r"[0-9]{1,9}")
_JSON = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False)
_CODED = ("transfer-encoding", "content-encoding")


class UnusableBody(Exception):
    """A response that is not read to its end; the text continues "<endpoint> ..."."""


@lru_cache(256)
def is_served(base_url: str) -> bool:
    """Return whether requests to a base URL can go this way: plain HTTP, a plain URL, no proxy."""
    return bool(_PLAIN.fullmatch(base_url)) and is_this_machine(base_url)


class LocalServer:
    """A server of this machine and the idle connections to it; used from any thread."""

    def __init__(self, base_url: str) -> None:
        """Keep where it is; nothing is connected yet."""
        parts = urlsplit(base_url)
        self._host, self._port = parts.hostname or "", parts.port or 80
        self._path, self._name = parts.path, parts.netloc
        self._url = base_url
        self._idle: list[_LocalConnection] = []

    async def post(
        self, path: str, fields: Mapping[str, Any], key: str
    ) -> tuple[bytes, Mapping[str, str]]:
        """Post JSON below the base URL; return body and headers of the response.

        Raises:
            UnusableBody: the response is too long, or compressed.
            openai.APIStatusError: the status is no success.
            openai.APIConnectionError: there is no response.
        """
        content = _JSON.encode(fields).encode()
        head = (
            f"POST {self._path}{path} HTTP/1.1\r\nHost: {self._name}\r\nAccept: */*\r\n"
            "Accept-Encoding: identity\r\nConnection: keep-alive\r\nUser-Agent: icpi_ros\r\n"
            f"Authorization: Bearer {key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(content)}\r\n\r\n"
        )
        line = await self._line(path)
        try:
            response = await self._answered(line, head.encode("ascii") + content, path)
        except BaseException:  # cancelled or not
            line.close()
            raise
        if line.reusable:
            line.since = time.monotonic()
            self._idle.append(line)
        else:
            line.close()
        return response

    async def _line(self, path: str) -> _LocalConnection:
        """Return a connection: one that is idle, or a new one."""
        while (line := self._spare()) is not None:
            if line.is_quiet and time.monotonic() - line.since < IDLE:
                return line
            line.close()
        try:
            return _LocalConnection(await in_loop(_connected(self._host, self._port)))
        except OSError as exc:
            raise self._lost(None, path, exc)  # noqa: B904  # it has its cause

    def _spare(self) -> _LocalConnection | None:
        with contextlib.suppress(IndexError):  # another thread may have taken the last one
            return self._idle.pop()
        return None

    async def _answered(
        self, line: _LocalConnection, request: bytes, path: str
    ) -> tuple[bytes, Mapping[str, str]]:
        line.send(request)
        while (found := _HEAD_END.search(line.data)) is None:
            if line.ended or len(line.data) > MAX_HEAD:
                return await self._read_by_h11(line, path)
            await line.more()
        headers, begin = _usual_headers(line.data[: found.end()]), found.end()
        if headers is None:
            return await self._read_by_h11(line, path)
        end = begin + int(headers["content-length"])
        if end - begin > MAX_BODY:
            raise _too_long()
        while len(line.data) < end:
            if line.ended:
                raise self._lost(line, path)
            await line.more()
        line.reusable = len(line.data) == end and _is_kept(headers)
        body = bytes(line.data[begin:end])
        line.data.clear()
        return body, headers

    async def _read_by_h11(
        self, line: _LocalConnection, path: str
    ) -> tuple[bytes, Mapping[str, str]]:
        """Return body and headers of any response."""
        import h11

        reader = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        reader.send(h11.Request(method="POST", target="/", headers=[("Host", "h")]))
        reader.send(h11.EndOfMessage())
        status, headers, body = 0, list[tuple[bytes, bytes]](), bytearray()
        with contextlib.suppress(h11.RemoteProtocolError):  # it is no HTTP
            while True:
                event = reader.next_event()
                if event is h11.NEED_DATA:
                    if not line.data and not line.ended:
                        await line.more()
                    if line.fault is not None and not line.data:
                        raise self._lost(line, path)
                    reader.receive_data(bytes(line.data))  # nothing: it has ended
                    line.data.clear()
                elif isinstance(event, h11.Response):
                    status, headers = event.status_code, list(event.headers)
                elif isinstance(event, h11.Data):
                    body += event.data
                    if len(body) > MAX_BODY:
                        raise _too_long()
                elif isinstance(event, h11.EndOfMessage):
                    line.reusable = reader.their_state is h11.DONE and not reader.trailing_data[0]
                    return self._judged(status, headers, bytes(body), path)
                elif isinstance(event, h11.ConnectionClosed):
                    break
        raise self._lost(line, path)

    def _judged(
        self, status: int, headers: list[tuple[bytes, bytes]], body: bytes, path: str
    ) -> tuple[bytes, Mapping[str, str]]:
        """Return a response that is a success.

        Raises:
            UnusableBody: it is compressed.
            openai.APIStatusError: it is none.
        """
        import httpx2
        import openai

        plain = [(name, value) for name, value in headers if name.lower() != b"content-encoding"]
        response = httpx2.Response(
            status, headers=plain, content=body, request=httpx2.Request("POST", self._url + path)
        )
        if not response.is_success:
            told: Any = response.text.strip()
            with contextlib.suppress(ValueError, RecursionError):
                told = json.loads(told)
            told = told.get("error", told) if isinstance(told, dict) else told
            raise openai.APIStatusError(f"HTTP {status}", response=response, body=told)
        codings = [value.strip().lower() for name, value in headers if name not in dict(plain)]
        if codings not in ([], [b"identity"]):
            raise UnusableBody("answered compressed, though asked not to")
        return body, response.headers

    def _lost(
        self, line: _LocalConnection | None, path: str, fault: OSError | None = None
    ) -> Exception:
        """Return the error of a request without a response; its cause's cause is the fault."""
        import httpx2
        import openai

        fault = line.fault if line is not None else fault
        cause: Exception
        if line is None:
            cause = httpx2.ConnectError(f"no connection: {fault}")
        elif fault is not None:
            cause = httpx2.ReadError(f"the connection broke: {fault}")
        else:
            cause = httpx2.RemoteProtocolError("the server broke off")
        error = openai.APIConnectionError(request=httpx2.Request("POST", self._url + path))
        error.__cause__, cause.__cause__ = cause, fault
        return error


def _usual_headers(head: bytearray) -> dict[str, str] | None:
    """Return the headers of a success of known length by their names in small letters.

    None: it is another response, or one that leaves a choice of how it is read.
    """
    lines = head.decode("latin-1").split("\r\n")
    found = [_HEADER.fullmatch(line) for line in lines[1:-2]]
    headers = {match[1].lower(): match[2].rstrip() for match in found if match is not None}
    plain = len(headers) == len(found) and not any(name in headers for name in _CODED)
    known = _LENGTH.fullmatch(headers.get("content-length", "")) is not None
    usual = lines[-2:] == ["", ""] and _STATUS.fullmatch(lines[0]) is not None
    return headers if plain and known and usual else None


def _is_kept(headers: Mapping[str, str]) -> bool:
    """Tell whether a server of HTTP/1.1 keeps the connection for another request."""
    return headers.get("connection", "keep-alive").lower() == "keep-alive"


def _too_long() -> UnusableBody:
    return UnusableBody(f"answered with more than {MAX_BODY / 1e6:g} MB")


async def _connected(host: str, port: int) -> socket.socket:
    """Return a socket that is connected to the first address of a host that accepts.

    Raises:
        OSError: none does.
    """
    loop = asyncio.get_running_loop()
    failure = OSError(f"{host} has no address")
    for *kind, _, address in await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM):
        with contextlib.ExitStack() as unused:
            try:
                sock = unused.enter_context(socket.socket(*kind))
                sock.setblocking(False)
                await loop.sock_connect(sock, address)
            except OSError as exc:
                failure = exc
                continue
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            unused.pop_all()
            return sock
    raise failure


class _LocalConnection:
    """A connection: what has come over it, and whether more can.

    Attributes:
        data: received and not yet read.
        ended: True: nothing more comes.
        fault: that ended it; None = the server did, in order.
        reusable: True if it is at the end of a response.
        since: when it became idle [s of monotonic time].
    """

    def __init__(self, sock: socket.socket) -> None:
        """Keep a connected socket that does not block."""
        self.data = bytearray()
        self.ended = self.reusable = False
        self.fault: OSError | None = None
        self.since = 0.0
        self._sock, self._unsent = sock, bytearray()
        self._events = select.poll()
        self._events.register(sock, select.POLLIN)

    @property
    def is_quiet(self) -> bool:
        """True if nothing has come, not even its end, and all is sent."""
        return not (self.ended or self.data or self._unsent or self._events.poll(0))

    def send(self, request: bytes) -> None:
        """Send a request, as much as goes at once; the response may be waited for after that."""
        self.reusable = False
        self._unsent += request
        self._send_more()

    async def more(self) -> None:
        """Wait until something has come, or nothing more can; what is unsent is sent meanwhile."""
        before = len(self.data)
        while len(self.data) == before and not self.ended:
            writing = bool(self._unsent)
            self._events.modify(self._sock, select.POLLIN | select.POLLOUT * writing)
            await ready(self._sock, self._events, writing)
            if writing:
                self._send_more()
            self._receive()

    def close(self) -> None:
        """End the connection at once."""
        self._sock.close()

    def _send_more(self) -> None:
        try:
            del self._unsent[: self._sock.send(self._unsent)]  # it holds the key
        except BlockingIOError:
            pass
        except OSError as exc:
            self.ended, self.fault = True, exc

    def _receive(self) -> None:
        try:
            some = self._sock.recv(MAX_PIECE)
        except BlockingIOError:
            return
        except OSError as exc:
            self.ended, self.fault = True, exc
            return
        self.data += some
        self.ended = not some
