"""The endpoint as a process: its address, its signals, its end."""

from __future__ import annotations

import copy
import errno
import ipaddress
import signal
import socket
from dataclasses import dataclass
from types import FrameType
from typing import Any

from threadpoolctl import threadpool_limits
from uvicorn import Config, Server
from uvicorn.config import LOGGING_CONFIG

from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.llm.server.answering import DESCRIPTION
from icpi_ros.llm.server.app import create_app
from icpi_ros.llm.server.request import MODEL

MAX_CONNECTIONS = 256
"""Connections at the same time; more are answered with status 503."""
GRACE = 5
"""How long requests under way may take to end when the server stops [s]."""


class CannotListen(IcpiError):
    """The address is taken, or not ours to take."""


@dataclass(frozen=True)
class Address:
    """Where to listen.

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
    """Says when it listens, and ends in peace on SIGINT and SIGTERM."""

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
