"""Reader of a bag: streams its messages in time order, in bounded memory."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from icpi_ros.bags.formats.definitions import Decode, decoder
from icpi_ros.bags.formats.files import open_files
from icpi_ros.bags.formats.raw import Channel, Notes, RawMessage, shown, why
from icpi_ros.bags.topics import TYPES, assign, of_other_types
from icpi_ros.core.errors import UsageError

ORDER_WINDOW = 2_000_000_000
"""Largest delay of a message in the file that is still put in its place [ns]."""
MAX_WAITING_BYTES = 64 * 2**20
"""Largest size of the messages that wait for their place [B]."""
MAX_WAITING_MESSAGES = 100_000
"""Largest number of them."""


_MAX_SHOWN = 3
"""Lines about what was skipped in an error."""


class Message(NamedTuple):
    """A decoded message.

    Attributes:
        name: our name of its topic, see :mod:`icpi_ros.bags.topics`.
        ns: time of recording [ns].
        content: its fields; arrays of numbers are numpy arrays.
    """

    name: str
    ns: int
    content: Any


class Bag:
    """A bag of any kind; reading it twice gives the same twice.

    Args:
        path: folder of the bag, or one .mcap or .db3 file.
        mapping: our topic name to the bag's, where they differ.
        assigned: False = do not look for our topics; ``topics`` is empty then.

    Raises:
        UsageError: there is no such bag, it cannot be read, or the mapping does not fit.
    """

    def __init__(
        self, path: Path, mapping: Mapping[str, str] | None = None, assigned: bool = True
    ) -> None:
        """Look at files, channels and topics; messages are read later."""
        self.path = path
        self._notes = Notes()
        self._files = open_files(path, self._notes)
        self.channels: list[Channel] = _distinct([c for f in self._files for c in f.channels()])
        self._mapping = mapping or {}
        self.topics: dict[str, str] = {}
        if assigned:
            self._assign(TYPES)
        self._decoders: dict[Channel, Decode | None] = {}

    @property
    def skipped(self) -> list[str]:
        """Lines about what could not be read so far; complete after a stream has ended."""
        return self._notes.lines

    @property
    def because(self) -> str:
        """Return the first of these lines as the end of an error's message; "" = none."""
        lines = self._notes.lines
        more = f"; and {len(lines) - _MAX_SHOWN} more" if len(lines) > _MAX_SHOWN else ""
        return f" ({'; '.join(lines[:_MAX_SHOWN])}{more})" if lines else ""

    def note(self, line: str) -> None:
        """Report that something was skipped."""
        self._notes.add(line)

    def look_for(self, name: str, kind: str) -> bool:
        """Return whether the bag has a topic of a sensor: our name for it, and its type.

        Raises:
            UsageError: it has several.
        """
        if name not in self.topics:
            self._assign({name: kind})
        return name in self.topics

    def _assign(self, types: Mapping[str, str]) -> None:
        """Look for the topics of ``types``, and note those of another type."""
        try:
            self.topics |= assign(self.channels, self._mapping, types)
        except UsageError as exc:
            raise UsageError(f"{exc}{self.because}") from None
        for name in types.keys() - self.topics.keys():
            for line in of_other_types(self.channels, name, types[name]):
                self.note(line)

    def require(self, *names: str) -> None:
        """Check that the bag has topics.

        Raises:
            UsageError: names those that are missing, and what is there.
        """
        missing = [name for name in names if name not in self.topics]
        if missing:
            there = shown(channel.topic for channel in self.channels)
            raise UsageError(
                f"bag {self.path}: no topic {', '.join(missing)}; its topics are {there}; give a "
                f"mapping if they have other names{self.because}"
            )

    def raw(self, topics: Collection[str]) -> Iterator[RawMessage]:
        """Yield undecoded messages of the bag's ``topics`` in time order.

        A message that comes later than :data:`ORDER_WINDOW` keeps its place in the file.
        """
        waiting: list[tuple[int, int, RawMessage]] = []
        size = newest = count = 0
        for file in self._files:
            for message in file.messages(lambda channel: channel.topic in topics):
                if waiting and message.ns < waiting[0][0] - ORDER_WINDOW:
                    self.note("the order of time is broken by more than 2 s: kept as in the file")
                    while waiting:  # a clock that began anew: what came before stays before
                        yield heapq.heappop(waiting)[2]
                    size, newest = 0, message.ns
                heapq.heappush(waiting, (message.ns, count, message))
                count += 1
                size += len(message.data)
                newest = max(newest, message.ns)
                while waiting and (
                    waiting[0][0] < newest - ORDER_WINDOW
                    or size > MAX_WAITING_BYTES
                    or len(waiting) > MAX_WAITING_MESSAGES
                ):
                    _, _, first = heapq.heappop(waiting)
                    size -= len(first.data)
                    yield first
        while waiting:
            yield heapq.heappop(waiting)[2]

    def messages(self, names: Collection[str]) -> Iterator[Message]:
        """Yield decoded messages of our topics ``names`` in time order; missing ones are left out.

        A message that cannot be decoded is skipped and noted.
        """
        ours = {topic: name for name, topic in self.topics.items() if name in names}
        for message in self.raw(ours.keys()):
            content = self.decode(message)
            if content is not None:
                yield Message(ours[message.channel.topic], message.ns, content)

    def decode(self, message: RawMessage) -> Any | None:
        """Return a message's content; None if it cannot be decoded, which is noted."""
        channel = message.channel
        if channel not in self._decoders:
            self._decoders[channel] = self._decoder(channel)
        decode = self._decoders[channel]
        if decode is None:
            return None
        try:
            return decode(message.data)
        except Exception as exc:  # damaged bytes: whatever parsers stumble over
            self.note(f"{channel.topic}: messages that cannot be decoded are skipped ({why(exc)})")
            return None

    def _decoder(self, channel: Channel) -> Decode | None:
        try:
            found = decoder(channel)
        except UsageError as exc:
            self.note(f"{exc}: its messages are skipped")
            return None
        if found.remark:
            self.note(found.remark)
        return found.decode


def _distinct(channels: list[Channel]) -> list[Channel]:
    return list(dict.fromkeys(channels))
