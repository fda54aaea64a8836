"""viser behind the page's door: every connection is judged before viser sees it.

viser opens its own port and asks nobody who comes.  While its server is made, the function with
which it listens is ours: the same handler, behind :class:`~icpi_ros.view.rules.Door`.  If a viser
does not call it, no page is opened at all.
"""

from __future__ import annotations

import asyncio
import functools
import json
import logging
import secrets
import threading
import time
from collections.abc import Awaitable, Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import viser
import websockets
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from icpi_ros.core.errors import ExecutionFailed, IcpiError
from icpi_ros.core.html import template
from icpi_ros.core.text import error_line
from icpi_ros.view.controls import BarState, Controls
from icpi_ros.view.responses import client, response, scene_policy
from icpi_ros.view.rules import Door, NotAdmitted, Place, bound, check_frames
from icpi_ros.view.viser_server import QuietServer, listening_through, quiet

MAX_CONNECTIONS = 64
"""Most connections at a time; the run's own files need descriptors, too."""
MAX_WAITING = 4096
"""Most connections that wait to be taken: with few, a flood makes others wait for seconds."""
MAX_STRANGERS = 16
"""Most sockets without a token at a time."""
MAX_MESSAGE = 1 << 20
"""Largest message from a page [bytes]."""
MAX_ANSWER = 10.0
"""Longest wait for what became of a stop or a release [s]."""
MAX_HANDSHAKE = 5.0
"""Longest time for a request to arrive [s]."""
BEAT = 1.0
"""Time from one sign of life to the next [s]."""
FROZEN = 2.5
"""Time without a look at what is shown from which on a page says that it is frozen [s]."""
NO_STOP = "the stop was not answered: use the emergency stop of the arm"
_Handler = Callable[[ServerConnection], Awaitable[None]]


class Gate:
    """A viser server that is reached through a door alone.

    Attributes:
        door: address and token.
        server: viser's; all that it shows is shown to those with the token.
    """

    def __init__(
        self,
        host: str,
        port: int,
        controls: Controls | None,
        operate: bool,
        title: str,
        framed_by: Sequence[str] = (),
    ) -> None:
        """Open the page.

        Args:
            host: address to bind.
            port: to bind; 0 = any that is free.
            controls: what STOP, reset and decisions go to; None = nothing can be stopped.
            operate: the page may do more than stop.
            title: of the page.
            framed_by: origins of the pages that may show it inside them; none where it operates.

        Raises:
            UsageError: the address cannot be bound, or what may frame it is not allowed.
            IcpiError: viser does not listen through this door.
        """
        check_frames(framed_by, operate)
        self._controls, self._operate, self._title = controls, operate, title
        self._framed_by = tuple(framed_by)
        self._state = BarState()
        self._bars: set[ServerConnection] = set()
        self._strangers = 0
        self._open = 0
        self._arriving: dict[_Connection, None] = {}  # in the order of their arrival
        self._pressed: Future[str] | None = None
        self._released: Future[str] | None = None
        self._looked: float | None = None
        self._closed = threading.Event()
        self._stopping = ThreadPoolExecutor(1, "stop")  # of its own: nothing else holds up a stop
        self._resetting = ThreadPoolExecutor(1, "reset")
        self._socket = bound(host, port)
        self.door = Door(host, self._socket.getsockname()[1])
        with listening_through(self._listen) as asked, quiet():
            self.server = QuietServer(host=host, port=self.door.port, verbose=False)
        if not asked:
            self.close()
            raise IcpiError(
                f"viser {viser.__version__} does not listen through the page's door: install "
                "icpi_ros[view], which names the versions that do"
            )
        self._socket.listen(MAX_WAITING)

    @property
    def operate(self) -> bool:
        """True: those with the token may do more than look and stop."""
        return self._operate and self._controls is not None

    def close(self) -> None:
        """Close the page and its connections; a second time does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        with quiet():
            self.server.stop()
        self._socket.close()
        for pool in (self._stopping, self._resetting):
            pool.shutdown(wait=False, cancel_futures=True)

    def show(self, state: BarState) -> None:
        """Show a state in the upper edge of every page; callable from any thread."""
        if state == self._state:
            return
        self._state = state
        with suppress(RuntimeError):  # it has been closed
            self.server.get_event_loop().call_soon_threadsafe(self._tell_bars)

    def beat(self) -> None:
        """Note that what is shown was looked at just now; from the first time on it has to be."""
        self._looked = time.monotonic()

    # --- listening ----------------------------------------------------------------------------

    def _listen(self, handler: _Handler, *_: object, **options: Any) -> Any:
        """Return what viser awaits to listen: its handler, behind the door."""
        return serve(
            functools.partial(self._admitted, handler),
            sock=self._socket,
            process_request=self._judge,
            create_connection=functools.partial(_Connection, self),  # type: ignore[arg-type]
            select_subprotocol=options["select_subprotocol"],
            max_size=MAX_MESSAGE,
            open_timeout=MAX_HANDSHAKE,
            backlog=MAX_CONNECTIONS,  # so many are taken at a time
            compression=None,
            logger=_quiet_log(),
        )

    def _judge(self, connection: ServerConnection, request: Request) -> Response | None:
        """Return a page or a refusal; None = a socket that may open."""
        headers = request.headers
        try:
            place = self.door.place(
                request.path, headers.get_all("Host"), headers.get_all("Origin")
            )
            upgrade = headers.get("Upgrade", "").lower() == "websocket"
            if upgrade and place is Place.STOP and self._strangers >= MAX_STRANGERS:
                raise NotAdmitted(503, "too many pages are open")
        except NotAdmitted as exc:
            return response(exc.status, f"{exc}\n", "text/plain")
        if upgrade:
            connection.place = place  # type: ignore[attr-defined]
            self._arriving.pop(connection, None)  # type: ignore[call-overload]
            return None
        if place is Place.SCENE:
            return response(200, client(), "text/html", scene_policy(self._framed_by))
        return self._own_page(known=place is Place.BAR)

    def _own_page(self, known: bool) -> Response:
        """Return the page with the upper edge, around viser's where the token is given."""
        nonce = secrets.token_urlsafe(12)
        markup = template("view.html").render(
            title=self._title if known else "STOP",
            known=known,
            can_stop=self._controls is not None,
            can_reset=known and self.operate,
            nonce=nonce,
        )
        inside = "frame-src 'self'; " if known else ""
        ancestors = " ".join(self._framed_by if known else ()) or "'none'"
        policy = (
            f"default-src 'none'; connect-src 'self'; img-src data:; {inside}"
            f"script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; "
            f"frame-ancestors {ancestors}"
        )
        return response(200, markup, "text/html", policy)

    async def _admitted(self, handler: _Handler, connection: ServerConnection) -> None:
        place = getattr(connection, "place", None)
        if place is Place.SCENE:
            await handler(connection)
        elif place is Place.BAR:
            await self._bar(connection)
        elif place is Place.STOP:
            self._strangers += 1
            try:
                await self._words(connection, known=False)
            finally:
                self._strangers -= 1

    # --- the upper edge -----------------------------------------------------------------------

    async def _bar(self, connection: ServerConnection) -> None:
        self._bars.add(connection)
        try:
            await connection.send(self._as_text())
            await self._words(connection, known=True)
        except ConnectionClosed:
            pass
        finally:
            self._bars.discard(connection)

    async def _words(self, connection: ServerConnection, known: bool) -> None:
        """Carry out the words of one page until it is closed."""
        # Each word has a task of its own: no stop waits until a release is answered.
        tasks = {"beats": asyncio.create_task(self._beats(connection))}
        try:
            async for word in connection:
                if word == "stop" and self._controls is not None:
                    press = self._press_stop(connection, known)
                elif word == "reset" and known and self.operate:
                    press = self._press_reset(connection)
                else:
                    await connection.close(1008, "no such word, or not allowed here")
                    continue
                if word in tasks and not tasks[word].done():
                    press.close()  # the same is under way
                else:
                    tasks[word] = asyncio.create_task(press)
        except ConnectionClosed:
            pass
        finally:
            tasks["beats"].cancel()

    async def _beats(self, connection: ServerConnection) -> None:
        """Send signs of life until the connection is closed."""
        with suppress(ConnectionClosed):
            while True:
                await asyncio.sleep(BEAT)
                looked = self._looked
                frozen = looked is not None and time.monotonic() - looked > FROZEN
                await connection.send(json.dumps({"frozen": frozen}))

    async def _press_stop(self, connection: ServerConnection, known: bool) -> None:
        """Stop; presses while one is under way wait for that one."""
        assert self._controls is not None
        if self._pressed is None or self._pressed.done():
            self._pressed = self._stopping.submit(self._controls.stop)
            if self._released is not None and not self._released.done():
                # That release was asked for before, and may arrive after this stop.
                self._released.add_done_callback(self._stop_again)
        try:
            line = await _within(self._pressed)
        except Exception as exc:
            line = f"{NO_STOP} ({_line(exc)})" if known else NO_STOP
            await _answer(connection, failed=line)
            return
        await _answer(connection, said=line if known else "STOP was pressed")

    def _stop_again(self, _: object) -> None:
        """Stop once more after a release that was under way when STOP was pressed."""
        assert self._controls is not None
        with suppress(RuntimeError):  # the page has been closed
            self._stopping.submit(self._controls.stop)

    async def _press_reset(self, connection: ServerConnection) -> None:
        assert self._controls is not None
        pressed = [self._pressed, self._released]
        try:
            if any(future is not None and not future.done() for future in pressed):
                raise ExecutionFailed("not released: a stop or a release is under way")
            self._released = self._resetting.submit(self._controls.reset)
            line = await _within(self._released)
        except Exception as exc:
            await _answer(connection, failed=_line(exc), to="reset")
            return
        await _answer(connection, said=line, to="reset")

    def _tell_bars(self) -> None:
        websockets.broadcast(self._bars, self._as_text())

    def _as_text(self) -> str:
        return json.dumps({"line": self._state.line, "stopped": self._state.stopped})

    def arrived(self, connection: _Connection) -> None:
        """Count a connection; where there are too many, the oldest one without a request goes."""
        self._open += 1
        self._arriving[connection] = None
        if self._open > MAX_CONNECTIONS:  # not the newest: half a request would keep all others out
            oldest = next(iter(self._arriving))
            del self._arriving[oldest]
            oldest.transport.abort()

    def lost(self, connection: _Connection) -> None:
        """Count a connection out."""
        self._open -= 1
        self._arriving.pop(connection, None)


async def _answer(connection: ServerConnection, **news: str) -> None:
    """Send news to a page that may have gone."""
    with suppress(ConnectionClosed):
        await connection.send(json.dumps(news))


def _line(error: Exception) -> str:
    return str(error) if isinstance(error, IcpiError) else error_line(error)


class _Connection(ServerConnection):
    """Connection that a gate counts from its first byte on."""

    def __init__(self, gate: Gate, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._gate = gate
        self.place: Place | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._gate.arrived(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self._gate.lost(self)
        super().connection_lost(exc)


def _quiet_log() -> logging.Logger:
    """Log of the connections: what strangers do wrong is no news of ours."""
    log = logging.getLogger("icpi_ros.view.connections")
    log.setLevel(logging.CRITICAL + 1)
    return log


async def _within(pressed: Future[str]) -> str:
    """Return what came of a stop or a release, which goes on if it takes too long.

    Raises:
        TimeoutError: nothing within MAX_ANSWER.
    """
    return await asyncio.wait_for(asyncio.shield(asyncio.wrap_future(pressed)), MAX_ANSWER)
