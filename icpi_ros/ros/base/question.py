"""A service call that is repeated until it is answered, and leaves nothing behind when it is not.

A request that nobody answers stays with its client for ever unless it is taken back.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from typing import Any

from rclpy.client import Client
from rclpy.node import Node
from rclpy.task import Future

ASK_AGAIN = 0.5
"""Steady time after which a question is repeated: replies get lost while nodes still meet [s]."""
ASKED = 8
"""Requests under way at most; a late answer to the oldest is not waited for any more."""


class Question:
    """One question to one service; polled by one thread.

    Args:
        node: whose executor hears the answer.
        kind: type of the service.
        name: of the service.
    """

    def __init__(self, node: Node, kind: Any, name: str) -> None:
        """Open the client; nothing is asked yet."""
        self._node = node
        self._client = node.create_client(kind, name)
        self._asked: deque[_Request] = deque()
        self._next = 0.0

    @property
    def served(self) -> bool:
        """True while somebody answers under that name."""
        return bool(self._client.service_is_ready())

    @property
    def answered(self) -> bool:
        """True if there is an answer since it was last forgotten."""
        return self._reply() is not None

    def forget(self) -> None:
        """Ask anew: what was answered may be otherwise by now."""
        self._drop(0)
        self._next = 0.0

    def answer(self, request: Any) -> Any:
        """Ask; return the answer, None so far."""
        reply = self._reply()
        if reply is not None:
            return reply
        now = time.monotonic()
        if self.served and now >= self._next and self._node.executor is not None:
            self._next = now + ASK_AGAIN
            self._drop(ASKED - 1)
            asked = _Request(self._client, request)
            self._asked.append(asked)
            # As in calls.py: a quick reply cannot overtake what the executor's own thread sends.
            self._node.executor.create_task(asked.send)
        return None

    def _drop(self, left: int) -> None:
        while len(self._asked) > left:
            self._asked.popleft().drop()

    def _reply(self) -> Any:
        replies = (asked.reply for asked in self._asked)
        return next((reply for reply in replies if reply is not None), None)


class _Request:
    """A request that is sent in one thread and taken back in another, in either order."""

    def __init__(self, client: Client, request: Any) -> None:
        self._client, self._request = client, request
        self._lock = threading.Lock()
        self._future: Future | None = None
        self._dropped = False

    def send(self) -> None:
        """Send it unless it was taken back; what cannot be sent is asked again later."""
        with self._lock, contextlib.suppress(Exception):
            if not self._dropped:
                self._future = self._client.call_async(self._request)

    def drop(self) -> None:
        """Take it back: nobody waits for its reply."""
        with self._lock:
            self._dropped = True
            if self._future is not None:
                self._client.remove_pending_request(self._future)

    @property
    def reply(self) -> Any:
        """What was answered, None so far."""
        future = self._future
        if future is None or not future.done() or future.exception() is not None:
            return None
        return future.result()
