"""Ends of nodes and of this process, also where the middleware hangs; light to import."""

from __future__ import annotations

import ctypes
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rclpy.node import Node

TEAR_DOWN_LIMIT = 2.0
"""Longest time for the middleware to let go [s]."""
TEAR_DOWN_WORK = 0.5
"""Most processor time for that [s]: it takes a twentieth.  Fast DDS that waits for itself does so
in a loop without a pause (its issue 6513)."""
SIGEV_THREAD = 2
"""A timer that is due calls a function in a thread of the C library."""


class _Event(ctypes.Structure):
    """``struct sigevent`` of Linux on 64 bits."""

    _fields_ = (
        ("value", ctypes.c_void_p),
        ("signal", ctypes.c_int),
        ("notify", ctypes.c_int),
        ("function", ctypes.c_void_p),
        ("attributes", ctypes.c_void_p),
        ("rest", ctypes.c_char * 32),
    )


@contextmanager
def ends_within(limit: float, work: float, code: int) -> Iterator[None]:
    """End of this process with exit code ``code`` where the block takes longer than ``limit`` [s].

    Or more than ``work`` seconds of processor time.  Also where a library hangs that was called
    with the interpreter's lock held, so that no thread of Python comes to its turn again.  Nothing
    is flushed: for blocks after which nothing is left to write.
    """
    with _due(time.CLOCK_MONOTONIC, limit, code), _due(time.CLOCK_PROCESS_CPUTIME_ID, work, code):
        yield


@contextmanager
def _due(clock: int, limit: float, code: int) -> Iterator[None]:
    """End of this process when a clock of the system has gone on by ``limit`` [s]."""
    libc = ctypes.CDLL(None, use_errno=True)
    exit_now = ctypes.cast(libc._exit, ctypes.c_void_p).value
    event, timer = _Event(value=code, notify=SIGEV_THREAD, function=exit_now), ctypes.c_void_p()
    if libc.timer_create(clock, ctypes.byref(event), ctypes.byref(timer)):
        raise OSError(ctypes.get_errno(), "a timer for the end of the process")
    seconds, part = divmod(limit, 1.0)
    due = (ctypes.c_long * 4)(0, 0, int(seconds), int(part * 1e9))  # not again; then from now
    libc.timer_settime(timer, 0, due, None)
    try:
        yield
    finally:
        libc.timer_delete(timer)


def destroy(node: Node) -> None:
    """Let go of ``node`` and of its actions, which rclpy leaves open, and with them the node."""
    action = sys.modules.get("rclpy.action")  # without it there are none, and it imports numpy
    if action is not None:
        for waitable in list(node.waitables):
            if isinstance(waitable, action.ActionClient | action.ActionServer):
                waitable.destroy()
    node.destroy_node()


def within(limit: float, action: Callable[[], None]) -> bool:
    """Run ``action`` in a thread for at most ``limit`` [s]; tell whether it came to its end."""
    thread = threading.Thread(target=action, daemon=True)
    thread.start()
    thread.join(limit)
    return not thread.is_alive()
