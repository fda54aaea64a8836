"""Small HTTP server behind a page's door: one request per connection, GET alone, all bounded."""

from __future__ import annotations

import asyncio
import gzip
import io
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from email.message import Message
from http import HTTPStatus
from http.client import HTTPException, parse_headers
from urllib.parse import parse_qs

from icpi_ros.core.errors import IcpiError
from icpi_ros.core.text import error_line
from icpi_ros.view.rules import Door, NotAdmitted, bound, headers

MAX_CONNECTIONS = 64
"""Most connections at a time; for one more the oldest without a whole request is closed."""
MAX_REQUEST = 16384
"""Longest request, its headers included [bytes]."""
MAX_TIME = 5.0
"""Longest time for a request to arrive [s]."""
MAX_SENDING = 30.0
"""Longest time for a response to leave [s]."""
MIN_PACKED = 1400
"""Bodies from here on are packed for those who take it [bytes]."""
Query = Mapping[str, Sequence[str]]


@dataclass(frozen=True)
class PageResponse:
    """Response to a request that the door let in.

    Attributes:
        text: the body.
        kind: MIME type, a text.
        policy: what it may load, a Content-Security-Policy.
        status: of HTTP.
    """

    text: str
    kind: str = "text/plain"
    policy: str = "default-src 'none'"
    status: int = 200


class PageServer:
    """Server of a page; it answers in a thread of its own from :meth:`start` to :meth:`close`.

    Attributes:
        door: address and token.
    """

    def __init__(
        self, host: str, port: int, respond: Callable[[str, Query], PageResponse], workers: int = 2
    ) -> None:
        """Take the address.

        Args:
            host: address to bind.
            port: to bind; 0 = any that is free.
            respond: called with a path below the token and its query, in a thread of a pool.  An
                IcpiError that it raises becomes a response with status 404 and its line.
            workers: threads of the pool.

        Raises:
            UsageError: the address cannot be bound.
        """
        self._socket = bound(host, port)
        self.door = Door(host, self._socket.getsockname()[1])
        self._respond, self._open = respond, 0
        self._arriving: dict[asyncio.StreamWriter, None] = {}  # in the order of their arrival
        self._pool = ThreadPoolExecutor(workers, "page")
        self._loop, self._ended = asyncio.new_event_loop(), asyncio.Event()
        self._thread = threading.Thread(target=self._serve, name="page server", daemon=True)
        self._closed = False

    def start(self) -> None:
        """Begin to answer."""
        self._thread.start()

    def close(self) -> None:
        """Close the page and its connections; a second time does nothing."""
        if self._closed:
            return
        self._closed = True
        if self._thread.ident is not None:
            self._loop.call_soon_threadsafe(self._ended.set)
            self._thread.join(MAX_TIME)
        self._socket.close()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _serve(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:  # ends all exchanges, too
            runner.run(self._until_closed())

    async def _until_closed(self) -> None:
        server = await asyncio.start_server(self._connected, sock=self._socket, limit=MAX_REQUEST)
        await self._ended.wait()
        server.close()

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._arriving[writer] = None
        if self._open >= MAX_CONNECTIONS:  # half a request is to keep nobody out
            oldest = next(iter(self._arriving))
            del self._arriving[oldest]
            oldest.transport.abort()
        self._open += 1
        try:
            await self._exchange(reader, writer)
            writer.close()
        except (OSError, EOFError, asyncio.CancelledError):  # gone, too slow; the page is closed
            writer.transport.abort()
        finally:
            self._arriving.pop(writer, None)
            self._open -= 1

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        packs = False
        try:
            raw = await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), MAX_TIME)
            self._arriving.pop(writer, None)
            path, fields = _parsed(raw)
            packs = "gzip" in str(fields.get("Accept-Encoding", ""))
            hosts, origins = fields.get_all("Host", []), fields.get_all("Origin", [])
            place = self.door.below(path, hosts, origins)
            if not place and not path.partition("?")[0].endswith("/"):
                raise NotAdmitted(404, "the link that the terminal printed ends with /")
            query = parse_qs(path.partition("?")[2], max_num_fields=64)
            answer = self._loop.run_in_executor(self._pool, self._answered, place, query)
            response = await answer
        except NotAdmitted as exc:
            response = PageResponse(f"{exc}\n", status=exc.status)
        except (asyncio.LimitOverrunError, ValueError):
            response = PageResponse("this is no request for a page\n", status=400)
        await _send(writer, response, packs)

    def _answered(self, place: str, query: Query) -> PageResponse:
        try:
            return self._respond(place, query)
        except NotAdmitted as exc:
            return PageResponse(f"{exc}\n", status=exc.status)
        except IcpiError as exc:
            return PageResponse(f"{exc}\n", status=404)
        except Exception as exc:  # a plug-in's task, a damaged trial: the page stays
            return PageResponse(f"it cannot be shown: {error_line(exc)}\n", status=500)


def _parsed(raw: bytes) -> tuple[str, Message]:
    """Return path and headers of a request.

    Raises:
        NotAdmitted: another method than GET.
        ValueError: it is no request.
    """
    line, _, rest = raw.partition(b"\r\n")
    method, path, version = line.decode("ascii").split(" ")
    if not version.startswith("HTTP/1."):
        raise ValueError(version)
    if method != "GET":
        raise NotAdmitted(405, "this page is only looked at")
    try:
        return path, parse_headers(io.BytesIO(rest))
    except HTTPException as exc:
        raise ValueError(str(exc)) from None


async def _send(writer: asyncio.StreamWriter, response: PageResponse, packs: bool) -> None:
    body = response.text.encode("utf-8", "backslashreplace")
    packed = packs and len(body) >= MIN_PACKED
    if packed:
        body = gzip.compress(body, 1, mtime=0)
    found = headers(response.kind, len(body), response.policy) | {"Connection": "close"}
    if packed:
        found["Content-Encoding"] = "gzip"
    status = HTTPStatus(response.status)
    lines = [f"HTTP/1.1 {status.value} {status.phrase}", *(f"{k}: {v}" for k, v in found.items())]
    writer.transport.set_write_buffer_limits(0)
    writer.write("\r\n".join([*lines, "", ""]).encode("ascii") + body)
    await asyncio.wait_for(writer.drain(), MAX_SENDING)
