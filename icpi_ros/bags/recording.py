"""Recording of a bag: rolled, compressed, written by a thread of its own."""

from __future__ import annotations

import queue
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from icpi_ros.bags.formats.definitions import Definition
from icpi_ros.bags.formats.folder import FileInfo, TopicInfo, make_folder, write_metadata
from icpi_ros.bags.formats.mcap_writer import McapWriter
from icpi_ros.bags.formats.raw import why

FLUSH_PERIOD = 0.4
"""Longest time that a message waits for the disk [s]; a killed recorder loses no more."""
MAX_WAITING_BYTES = 256 * 2**20
"""Largest size of the messages that wait for the thread [B]; 5 s of a 1080p camera at 8 Hz."""
MAX_WAITING_MESSAGES = 50_000
POLL_PERIOD = 0.1
"""Longest time until the end of a recording is noticed [s]."""
CLOSE_TIMEOUT = 3.0
"""Longest time to write what waits at the end [s]."""


@dataclass(frozen=True)
class RecordingLimits:
    """Sizes at which a new file is begun, and at which recording ends.

    Attributes:
        size: of one file [B].
        duration: of one file, on the steady clock [s].
        keep_free: of the disk [B]: recording never fills it, the trial store lies there as well.
    """

    size: int = 2**30
    duration: float = 600.0
    keep_free: int = 2**29


@dataclass(frozen=True)
class RecordedTopic:
    """A topic that is recorded; ``qos`` is the offered profiles as YAML."""

    name: str
    what: Definition
    qos: str


Item = tuple[RecordedTopic, int, bytes]


class _NearlyFull(Exception):
    """The disk has less free space than is to be kept."""


class Recording:
    """A bag that is being recorded, in files of bounded size.

    :meth:`put` may be called from any thread and never waits.

    Args:
        folder: of the bag; must not exist.
        limits: of its files.
        failed: called once, from the writing thread, with the reason why recording ended early.

    Raises:
        UsageError: the folder exists or cannot be made.
    """

    def __init__(
        self, folder: Path, limits: RecordingLimits, failed: Callable[[str], None]
    ) -> None:
        make_folder(folder)
        self.folder, self._limits, self._failed = folder, limits, failed
        self.received = self.written = self.lost = 0
        self.trouble = ""
        self._queue: queue.Queue[Item] = queue.Queue(MAX_WAITING_MESSAGES)
        self._waiting = 0
        self._lock = threading.Lock()
        self._end = threading.Event()
        self._files: list[FileInfo] = []
        self._topics: dict[str, TopicInfo] = {}
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def put(self, topic: RecordedTopic, ns: int, data: bytes) -> None:
        """Record a message that was received at ``ns`` [ns]; without room it is counted."""
        if self.trouble or self._end.is_set():
            return
        with self._lock:
            fits = self._waiting + len(data) <= MAX_WAITING_BYTES
            self._waiting += len(data) if fits else 0
        try:
            if not fits:
                raise queue.Full
            self._queue.put_nowait((topic, ns, data))
            self.received += 1
        except queue.Full:
            self.lost += 1
            with self._lock:
                self._waiting -= len(data) if fits else 0

    def close(self) -> bool:
        """Write what waits and end the bag; return whether it came to its end."""
        self._end.set()
        self._thread.join(CLOSE_TIMEOUT)
        return not self._thread.is_alive()

    # --- writing thread -------------------------------------------------------------------

    def _run(self) -> None:
        try:
            while not (self._end.is_set() and self._queue.empty()):
                self._write_file(self.folder / f"{self.folder.name}_{len(self._files)}.mcap")
        except _NearlyFull as exc:
            self._give_up(f"recording to {self.folder} has ended: {exc}")
        except OSError as exc:
            self._give_up(f"recording to {self.folder} has ended: {exc.strerror or why(exc)}")
        except Exception as exc:  # the graph goes on without its record
            self._give_up(f"recording to {self.folder} has ended: {type(exc).__name__}: {why(exc)}")

    def _write_file(self, path: Path) -> None:
        writer = McapWriter(path)
        channels: dict[str, int] = {}
        try:
            try:
                self._fill(writer, channels)
            except _NearlyFull:
                writer.close()  # there is still room for its end
                raise
            writer.close()
        except OSError:
            writer.abandon()
            raise
        finally:
            self._note(writer, channels)

    def _fill(self, writer: McapWriter, channels: dict[str, int]) -> None:
        begin = flushed = time.monotonic()
        while True:
            item = self._next()
            now = time.monotonic()
            if item is not None:
                topic, ns, data = item
                if topic.name not in channels:
                    self._topics.setdefault(
                        topic.name,
                        TopicInfo(topic.name, topic.what.kind, topic.what.digest, topic.qos, 0),
                    )
                    channels[topic.name] = writer.add_channel(topic.name, topic.what, topic.qos)
                writer.write(channels[topic.name], ns, data)
            if now - flushed >= FLUSH_PERIOD:
                flushed = now
                writer.flush()
                self._check_disk()
            if writer.size >= self._limits.size or now - begin >= self._limits.duration:
                return
            if item is None and self._end.is_set():
                return

    def _next(self) -> Item | None:
        try:
            item = self._queue.get(timeout=POLL_PERIOD)
        except queue.Empty:
            return None
        with self._lock:
            self._waiting -= len(item[2])
        return item

    def _check_disk(self) -> None:
        free = shutil.disk_usage(self.folder).free
        if free < self._limits.keep_free:
            raise _NearlyFull(
                f"the disk is nearly full ({free // 2**20} MiB free, "
                f"{self._limits.keep_free // 2**20} MiB are kept free)"
            )

    def _note(self, writer: McapWriter, channels: dict[str, int]) -> None:
        """Enter a finished file into the metadata."""
        for name, channel in channels.items():
            known = self._topics[name]
            count = known.count + writer.counts[channel]
            self._topics[name] = TopicInfo(known.topic, known.kind, known.digest, known.qos, count)
        self._files.append(FileInfo(writer.path.name, writer.start, writer.stop, writer.count))
        self.written += writer.count
        write_metadata(self.folder, self._files, list(self._topics.values()))

    def _give_up(self, line: str) -> None:
        self.trouble = line
        self._failed(line)
