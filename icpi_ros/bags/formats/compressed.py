"""Bags that rosbag2 itself compressed with zstd, message by message or file by file."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import zstandard

from icpi_ros.bags.formats.mcap_file import MAX_CHUNK, McapFile
from icpi_ros.bags.formats.raw import Channel, Notes, RawMessage, why
from icpi_ros.bags.formats.sqlite_file import SqliteFile
from icpi_ros.core.errors import UsageError

SUFFIX = ".zstd"
UNPACK_PIECE = 2**20
KEEP_FREE = 2**29
"""Of the disk that takes what is unpacked [B]."""


class CompressedMessages:
    """A file whose messages are compressed one by one.

    Args:
        inside: the file.
        notes: receive a line about what was skipped.
    """

    def __init__(self, inside: McapFile | SqliteFile, notes: Notes) -> None:
        self.path, self._inside, self._notes = inside.path, inside, notes

    def channels(self) -> list[Channel]:
        """Return its channels."""
        return self._inside.channels()

    def messages(self, wanted: Callable[[Channel], bool]) -> Iterator[RawMessage]:
        """Yield messages of wanted channels, unpacked."""
        for message in self._inside.messages(wanted):
            try:
                yield message._replace(data=_unpacked(message.data))
            except (zstandard.ZstdError, ValueError) as exc:
                self._notes.add(f"{self.path.name}: a compressed message is skipped: {why(exc)}")


class CompressedFile:
    """A file that is compressed as a whole: unpacked into a temporary one while this is in use.

    Args:
        path: ends in ``.mcap.zstd`` or ``.db3.zstd``.
        kind: opens the unpacked file.
        notes: receive a line about what was skipped.

    Raises:
        UsageError: it cannot be unpacked, or there is no room for it.
    """

    def __init__(
        self, path: Path, kind: Callable[[Path, Notes], McapFile | SqliteFile], notes: Notes
    ) -> None:
        self.path = path
        self._folder = tempfile.TemporaryDirectory(prefix="icpi-bag-")
        unpacked = Path(self._folder.name) / path.stem
        try:
            _unpack(path, unpacked, notes)
            self._inside = kind(unpacked, notes)
        except OSError as exc:
            raise UsageError(f"cannot unpack bag {path}: {exc.strerror or why(exc)}") from exc

    def channels(self) -> list[Channel]:
        """Return its channels."""
        return self._inside.channels()

    def messages(self, wanted: Callable[[Channel], bool]) -> Iterator[RawMessage]:
        """Yield messages of wanted channels."""
        return self._inside.messages(wanted)


def _unpacked(data: bytes) -> bytes:
    if 0 < zstandard.get_frame_parameters(data).content_size <= MAX_CHUNK:
        return zstandard.ZstdDecompressor().decompress(data)
    with zstandard.ZstdDecompressor().stream_reader(data) as reader:
        out = bytes(reader.read(MAX_CHUNK + 1))
    if len(out) > MAX_CHUNK:
        raise ValueError(f"it would grow beyond {MAX_CHUNK} B")
    return out


def _unpack(path: Path, target: Path, notes: Notes) -> None:
    room = shutil.disk_usage(target.parent).free - KEEP_FREE
    zstd = zstandard.ZstdDecompressor()
    with (
        path.open("rb") as packed,
        target.open("wb") as out,
        zstd.stream_reader(packed, read_across_frames=True) as reader,
    ):
        try:
            while piece := reader.read(UNPACK_PIECE):
                room -= len(piece)
                if room < 0:
                    raise UsageError(
                        f"cannot unpack bag {path}: no room in {target.parent.parent}; set "
                        "TMPDIR to a disk with more"
                    )
                out.write(piece)
        except zstandard.ZstdError as exc:
            notes.add(f"{path.name}: unpacked only to {out.tell()} B: {why(exc)}")
