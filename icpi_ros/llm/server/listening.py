"""Addresses of this machine, and an application that answers at one until it is told to end."""

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
from starlette.applications import Starlette
from uvicorn import Config, Server
from uvicorn.config import LOGGING_CONFIG

from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.llm.server.connection import MAX_CONNECTIONS, PatientConnection

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


class AnnouncedServer(Server):
    """Server that prints its address once it listens, and ends cleanly on SIGINT and SIGTERM.

    The signals are its own from the moment it is made: one that comes while a model is loaded ends
    it before it listens.  Make it in the main thread.

    Attributes:
        ending: set when no more requests are taken, so that those under way can be given up.
    """

    def __init__(self, log_level: str) -> None:
        """Take the signals."""
        self._log_level, self._served, self.ending = log_level, "", anyio.Event()
        super().__init__(_config(None, log_level))
        # uvicorn passes a signal on, after its own clean end, to the handler it found.
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self.stop)

    def answer(self, app: Starlette, listening: socket.socket, served: str) -> None:
        """Answer until a signal comes; ``served`` is the end of the printed line."""
        if self.should_exit:
            return
        self.config, self._served = _config(app, self._log_level), served
        self.run(sockets=[listening])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Print the address that others can ask now."""
        await super().startup(sockets)
        for listening in sockets or []:
            host, port = listening.getsockname()[:2]
            shown = f"[{host}]" if ":" in host else host
            print(f"icpi serve: http://{shown}:{port}/v1, {self._served}", flush=True)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell what is under way, and wait for it, not for what has not arrived."""
        self.ending.set()
        for one in list(self.server_state.connections):
            if isinstance(one, PatientConnection) and one.is_waiting:
                one.transport.abort()
        await super().shutdown(sockets)

    def stop(self, _number: int, _frame: FrameType | None) -> None:
        """End as soon as what is under way is answered."""
        self.should_exit = True


def _config(app: Any, log_level: str) -> Config:
    return Config(
        app,
        http=PatientConnection,
        ws="none",
        loop="asyncio",
        lifespan="off",
        log_config=_logging(),
        log_level={"warn": "warning"}.get(log_level, log_level),
        limit_concurrency=2 * MAX_CONNECTIONS,
        timeout_graceful_shutdown=GRACE,
    )


def _logging() -> dict[str, Any]:
    """Return uvicorn's logging, all of it to stderr."""
    config = copy.deepcopy(LOGGING_CONFIG)
    config["handlers"]["access"]["stream"] = "ext://sys.stderr"
    return config
