"""Rules of the page's door: where it is, which requests come in, and as what.

viser itself lets everybody in, and every page that is open in the same browser can reach loopback.
So a request must name this host and come from this origin, and everything but STOP lies below a
path that only the terminal has printed.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from icpi_ros.core.errors import UsageError
from icpi_ros.core.text import printable

LOOPBACK = "127.0.0.1"
NOTEBOOKS = ("http://localhost:*", "http://127.0.0.1:*")
"""Origins of notebooks of this machine; which port theirs has, a kernel does not know."""
_ORIGIN = re.compile(r"https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:([0-9]{1,5}|\*))?")


class Place(StrEnum):
    """Part of the page that a request may reach."""

    STOP = "stop"
    """Page and socket with the stop alone; nothing of the run is shown."""
    BAR = "bar"
    """Page of a person with the token, and the socket of its upper edge."""
    SCENE = "scene"
    """viser's page and socket."""


_PLACES = {"": Place.BAR, "bar": Place.BAR, "scene": Place.SCENE}
NO_PAGE = "there is no such page"


class NotAdmitted(Exception):
    """A request that does not come in.

    Attributes:
        status: of HTTP.
    """

    def __init__(self, status: int, reason: str) -> None:
        """Keep both; the reason is one line for a person, and holds nothing of the request."""
        super().__init__(reason)
        self.status = status


@dataclass(frozen=True)
class Door:
    """Address of a page and the token that opens it; both end with the process.

    Attributes:
        host: address that is bound, a name or an IP address.
        port: that is bound.
        token: that the link carries.
    """

    host: str
    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24))

    @property
    def link(self) -> str:
        """Address that the terminal prints; who has it may look, and operate where that is on."""
        return f"{self.stop_link}{self.token}/"

    @property
    def stop_link(self) -> str:
        """Address of the page with the stop alone."""
        return f"http://{_in_url(self._shown)}:{self.port}/"

    @property
    def _shown(self) -> str:
        return LOOPBACK if _is_any(self.host) else self.host

    def place(self, path: str, hosts: Sequence[str], origins: Sequence[str]) -> Place:
        """Return what a request reaches.

        Args:
            path: of the request, with its query.
            hosts: all its ``Host`` headers.
            origins: all its ``Origin`` headers; browsers send one with every WebSocket.

        Raises:
            NotAdmitted: another host or origin, no such place, or a token that is not this one.
        """
        self._require_own(hosts, origins)
        if path.partition("?")[0].strip("/") in ("", "stop"):
            return Place.STOP
        found = _PLACES.get(self._below_token(path).rstrip("/"))
        if found is None:
            raise NotAdmitted(404, NO_PAGE)
        return found

    def below(self, path: str, hosts: Sequence[str], origins: Sequence[str]) -> str:
        """Return the part of a path behind the token, without the query: ``""`` is the page itself.

        Arguments and errors as those of :meth:`place`; there is no place without the token.
        """
        self._require_own(hosts, origins)
        return self._below_token(path)

    def _require_own(self, hosts: Sequence[str], origins: Sequence[str]) -> None:
        if len(hosts) != 1 or not self._is_ours(hosts[0]):
            raise NotAdmitted(421, "refused: this page is not at that host")
        if len(origins) > 1 or (origins and origins[0] != f"http://{hosts[0]}"):
            raise NotAdmitted(403, "refused: another page's request")

    def _below_token(self, path: str) -> str:
        token, _, rest = path.partition("?")[0].lstrip("/").partition("/")
        if not hmac.compare_digest(token.encode(), self.token.encode()):
            raise NotAdmitted(403, "refused: open the link that the terminal printed")
        return rest

    def _is_ours(self, host: str) -> bool:
        """Tell whether a ``Host`` header means this page, whatever a name server says."""
        try:
            found = urlsplit(f"//{host}")
            name, port = found.hostname or "", found.port
        except ValueError:
            return False
        if port != self.port or found.username is not None or found.path or found.query:
            return False
        if _is_any(self.host):  # any address of this machine, but no name: names can be rebound
            return name == "localhost" or _is_address(name)
        local = self.host == "localhost" or _is_loopback(self.host)
        return name == self.host.lower() or (local and name in ("localhost", LOOPBACK, "::1"))


def check_frames(origins: Sequence[str], operate: bool) -> None:
    """Check which pages may frame this one.

    Raises:
        UsageError: one is no origin, or the page operates: what frames it could lay something
            over the button that a person means to press.
    """
    for origin in origins:
        if not _ORIGIN.fullmatch(origin):
            raise UsageError(
                f"{printable(repr(origin))} is not the origin of a page: write "
                "http://NAME:PORT, such as http://localhost:8888"
            )
    if origins and operate:
        raise UsageError(
            "a page that may approve is not shown inside another one, which could lead a person "
            "to press what is not seen: leave out --operate, or open the link itself"
        )


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_address(name) and ipaddress.ip_address(name).is_loopback


def _is_any(name: str) -> bool:
    return _is_address(name) and ipaddress.ip_address(name).is_unspecified


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def headers(kind: str, size: int, policy: str = "default-src 'none'") -> dict[str, str]:
    """Return the headers of a response that may load, frame and tell nothing but by its policy.

    Args:
        kind: MIME type, a text.
        size: of the body [bytes].
        policy: what the page may load.
    """
    if "frame-ancestors" not in policy:
        policy += "; frame-ancestors 'none'"
    return {
        "Content-Type": f"{kind}; charset=utf-8",
        "Content-Length": str(size),
        "Content-Security-Policy": f"{policy}; base-uri 'none'; form-action 'none'",
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Cross-Origin-Opener-Policy": "same-origin",
    }


def bound(host: str, port: int) -> socket.socket:
    """Return a socket that listens: two that are only bound may have the same address.

    Raises:
        UsageError: it cannot be bound.
    """
    found = None
    try:
        family, *_, where = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind(where)
        found.listen()
    except (OSError, UnicodeError) as exc:
        if found is not None:
            found.close()
        raise UsageError(
            f"the page cannot be opened at {host} port {port}: "
            f"{getattr(exc, 'strerror', None) or exc}; choose "
            "another with --host and --port (0 = any that is free)"
        ) from exc
    return found
