"""One connection of a client: a head in time, and room for others while it says nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

MAX_CONNECTIONS = 256
"""Connections at the same time: a new one takes the place of the one that has kept us waiting for
the longest.  Twice as many may be under way, more are answered with status 503."""
HEAD_DEADLINE = 10.0
"""Time for the head of a request to arrive, from the beginning of a connection or its first byte
[s]."""


class PatientConnection(H11Protocol):
    """HTTP connection that ends where its client does not send what it has begun."""

    _deadline: asyncio.TimerHandle | None = None
    _begun = 0.0

    def connection_made(self, transport: Any) -> None:
        """Wait for a head; whoever keeps us waiting for longer gives way if there are many."""
        super().connection_made(transport)
        self._begun = self.loop.time()
        self._wait_for_head()
        waiting = [one for one in self._open() if one is not self and one.is_waiting]
        if waiting and len(self._open()) > MAX_CONNECTIONS:
            min(waiting, key=lambda one: one._begun).transport.abort()

    def data_received(self, data: bytes) -> None:
        """Take what has arrived, and wait for the rest of a head, or of a body that is not read."""
        super().data_received(data)
        answered = self.conn.our_state in (h11.DONE, h11.MUST_CLOSE)
        begun = self.conn.their_state is h11.IDLE
        unread = self.conn.their_state is h11.SEND_BODY and answered
        if (begun or unread) and not self.transport.is_closing():
            self._wait_for_head()
        else:
            self._stop_waiting()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        super().connection_lost(exc)

    @property
    def is_waiting(self) -> bool:
        """True if the client's turn has come: nothing is being answered."""
        return self.conn.their_state in (h11.IDLE, h11.SEND_BODY)

    def _open(self) -> list[PatientConnection]:
        return [
            one
            for one in self.connections
            if isinstance(one, PatientConnection) and not one.transport.is_closing()
        ]

    def _wait_for_head(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.call_later(HEAD_DEADLINE, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None
