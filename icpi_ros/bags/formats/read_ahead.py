"""Loading of the next pieces of a file in a second thread while the last one is used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from itertools import cycle
from typing import TypeVar

Piece = TypeVar("Piece")
Content = TypeVar("Content")

DEPTH = 2
"""Pieces that are loaded before they are needed."""


class Room:
    """Memory that is used again and again: fresh pages for every piece cost more than its copy."""

    def __init__(self) -> None:
        self._bytes: dict[str, bytearray] = {}

    def of(self, name: str, size: int) -> memoryview:
        """Return ``size`` bytes, those of the last call with this ``name`` where they suffice."""
        held = self._bytes.get(name, b"")
        if len(held) < size:
            held = self._bytes[name] = bytearray(size)
        return memoryview(held)[:size]


def in_turn(
    load: Callable[[Piece, Room], Content], pieces: Iterable[Piece]
) -> Iterator[tuple[Piece, Callable[[], Content]]]:
    """Yield every piece with the function that loads it, which is as :func:`read_ahead` does it."""
    room = Room()
    return ((piece, partial(load, piece, room)) for piece in pieces)


def read_ahead(
    load: Callable[[Piece, Room], Content], pieces: Iterable[Piece]
) -> Iterator[tuple[Piece, Callable[[], Content]]]:
    """Yield every piece, in order, with the function that returns what ``load`` makes of it.

    One thread loads, :data:`DEPTH` pieces ahead at most: reading, unpacking and checksums do not
    hold Python's lock.  It has ended when the iterator has, early or not.  What is loaded into the
    room that ``load`` is given lasts until the next piece is asked for.
    """
    waiting: deque[tuple[Piece, Future[Content]]] = deque()
    rooms = cycle([Room() for _ in range(DEPTH + 1)])
    with ThreadPoolExecutor(1, "icpi-read-ahead") as thread:
        try:
            for piece, room in zip(pieces, rooms, strict=False):
                waiting.append((piece, thread.submit(load, piece, room)))
                if len(waiting) > DEPTH:
                    first, future = waiting.popleft()
                    yield first, future.result
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result
        finally:
            for _, future in waiting:
                future.cancel()
