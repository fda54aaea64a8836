"""Waits of coroutines that a thread runs itself, without an event loop.

A coroutine that waits for one thing at a time needs no loop: its thread can wait.  A loop with its
tasks would be a tenth of what a proposal from a small model next door takes.  Run by a loop, the
same coroutines wait as others do there.
"""

from __future__ import annotations

import asyncio
import select
import socket
import time
from collections.abc import Callable, Coroutine, Generator
from contextlib import AbstractAsyncContextManager
from types import CoroutineType, coroutine
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_LONGEST = 2**31 - 1
"""Longest wait that ``poll`` takes [ms]."""
_RunInLoop = Callable[[Coroutine[Any, Any, Any]], Any]


class _Late(Exception):
    """A deadline that came before what was waited for."""


def has_loop() -> bool:
    """Return whether an event loop runs in this thread."""
    return asyncio._get_running_loop() is not None


def run(work: Coroutine[Any, Any, _Result], until: float, run_in_loop: _RunInLoop) -> _Result:
    """Return the result of ``work``, which waits by the functions of this module alone.

    Args:
        work: cancelled at ``until``, and where the caller is interrupted.
        until: [s of monotonic time].
        run_in_loop: runs what ``work`` cannot do without a loop.
    """
    try:
        wanted = work.send(None)
        while True:
            try:
                found = _awaited(wanted, until - time.monotonic(), run_in_loop)
            except _Late:
                wanted = work.throw(asyncio.CancelledError())
            except Exception as exc:
                wanted = work.throw(exc)
            else:
                wanted = work.send(found)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]
    finally:
        work.close()  # the caller was interrupted; does nothing to work that has ended


def _awaited(wanted: Any, left: float, run_in_loop: _RunInLoop) -> Any:
    """Return what a coroutine waits for: the result of another one, or events of a socket.

    Raises:
        _Late: it has not come within ``left`` [s].
    """
    if isinstance(wanted, CoroutineType):
        return run_in_loop(_limited(wanted, left))
    if left <= 0.0 or not wanted.poll(min(1e3 * left, _LONGEST)):
        raise _Late
    return None


async def _limited(work: Coroutine[Any, Any, _Result], left: float) -> _Result:
    try:
        async with asyncio.timeout(left) as limit:
            return await work
    except TimeoutError:
        if limit.expired():
            raise _Late from None
        raise


@coroutine
def _from_runner(wanted: Any) -> Generator[Any, Any, Any]:
    """Return what :func:`run` gets for it."""
    return (yield wanted)


async def in_loop(work: Coroutine[Any, Any, _Result]) -> _Result:
    """Return the result of what cannot do without an event loop: pauses, tasks."""
    if has_loop():
        return await work
    return await _from_runner(work)  # type: ignore[no-any-return]


async def ready(sock: socket.socket, poll: select.poll, writing: bool) -> None:
    """Wait until a socket can be read, or written to as well.

    Args:
        sock: not blocking.
        poll: with this socket and the same events.
        writing: False = reading alone counts.
    """
    if not has_loop():
        await _from_runner(poll)
        return
    loop = asyncio.get_running_loop()
    woken = loop.create_future()

    def wake() -> None:
        if not woken.done():
            woken.set_result(None)

    loop.add_reader(sock, wake)
    if writing:
        loop.add_writer(sock, wake)
    try:
        await woken
    finally:
        loop.remove_reader(sock)
        loop.remove_writer(sock)


def deadline(until: float) -> AbstractAsyncContextManager[Any]:
    """Return what raises TimeoutError where a wait in it lasts until ``until`` [s of monotonic].

    Without a loop it is that of :func:`run`.
    """
    return asyncio.timeout(until - time.monotonic()) if has_loop() else _Deadline()


class _Deadline:
    """Deadline that :func:`run` keeps."""

    async def __aenter__(self) -> None: ...

    async def __aexit__(self, kind: type[BaseException] | None, exc: Any, trace: Any) -> None:
        if kind is asyncio.CancelledError:
            raise TimeoutError from exc
