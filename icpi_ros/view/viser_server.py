"""viser's server without a way to the outside, and with another function to listen by."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import rich
import viser
import viser.infra._infra as listening

_opening = threading.Lock()


class QuietServer(viser.ViserServer):
    """viser's server without a way to the outside."""

    def request_share_url(self, verbose: bool = True) -> str | None:
        """Open no tunnel, whoever asks for one."""
        return None


@contextmanager
def listening_through(listen: Callable[..., Any]) -> Iterator[list[None]]:
    """Let a viser server that is made meanwhile listen by ``listen``; yield a mark per call."""
    asked: list[None] = []

    def ours(*args: Any, **options: Any) -> Any:
        asked.append(None)
        return listen(*args, **options)

    module: Any = listening
    with _opening:
        theirs = module.websockets
        server = _Instead(theirs.asyncio.server, serve=ours)
        module.websockets = _Instead(theirs, asyncio=_Instead(theirs.asyncio, server=server))
        try:
            yield asked
        finally:
            module.websockets = theirs


@contextmanager
def quiet() -> Iterator[None]:
    """Keep viser from printing its address, which is none without a token."""
    console = rich.get_console()
    before, console.quiet = console.quiet, True
    try:
        yield
    finally:
        console.quiet = before


class _Instead(SimpleNamespace):
    """A module in which some names mean something else."""

    def __init__(self, module: Any, **names: Any) -> None:
        super().__init__(**names)
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_module"], name)
