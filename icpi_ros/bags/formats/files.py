"""Files of a bag: those that its ``metadata.yaml`` names, or single ones; some are compressed.

rosbag2 itself compresses with zstd, message by message or file by file.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

import zstandard

from icpi_ros.bags.formats.folder import METADATA
from icpi_ros.bags.formats.frames import zstd_frames
from icpi_ros.bags.formats.mcap_file import MAX_CHUNK, McapFile
from icpi_ros.bags.formats.raw import Channel, Notes, RawMessage, why
from icpi_ros.bags.formats.sqlite_file import SqliteFile
from icpi_ros.core.errors import UsageError
from icpi_ros.core.yaml_files import FileKind, read_yaml

METADATA_FILE = FileKind(max_bytes=2**20)
"""Written by others, its keys are not checked: newer versions have more of them."""
NEWEST_VERSION = 9
"""Newest version of the metadata that is known; newer ones are read all the same, and noted."""
STORAGES: Mapping[str, type[McapFile | SqliteFile]] = {".mcap": McapFile, ".db3": SqliteFile}
_MAX_NAME = 255
HELP = "a folder that `ros2 bag record` or --record has written, a .mcap or a .db3 file"

SUFFIX = ".zstd"
UNPACK_PIECE = 2**20
KEEP_FREE = 2**29
"""Of the disk that takes what is unpacked [B]."""


class CompressedMessages:
    """A file whose messages are compressed one by one; ``notes`` has what was skipped."""

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
    expected = zstandard.get_frame_parameters(data).content_size
    out = zstd_frames(data, expected if 0 < expected <= MAX_CHUNK else MAX_CHUNK)
    if 0 < expected < len(out):  # of the first of several frames
        out = zstd_frames(data, MAX_CHUNK)
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


Storage = McapFile | SqliteFile | CompressedMessages | CompressedFile


def open_files(path: Path, notes: Notes) -> list[Storage]:
    """Return the files of a bag in the order of recording.

    A file of a bag that cannot be opened is noted as long as another one can.

    Raises:
        UsageError: there is no such bag, none of its files can be read, or its metadata names
            files outside of it.
    """
    opened: list[Storage] = []
    failures = []
    files, by_message = _files(path, notes)
    for file in files:
        try:
            opened.append(_open(file, notes, by_message))
        except UsageError as exc:
            failures.append(str(exc))
    if not opened:
        raise UsageError(failures[0])
    for line in failures:
        notes.add(line)
    return opened


def _open(file: Path, notes: Notes, by_message: bool) -> Storage:
    packed = file.suffix == SUFFIX
    kind = STORAGES.get(Path(file.stem).suffix if packed else file.suffix)
    if kind is None:
        raise UsageError(f"cannot read bag {file}: its name must end in {' or '.join(STORAGES)}")
    if packed:
        return CompressedFile(file, kind, notes)
    opened = kind(file, notes)
    return CompressedMessages(opened, notes) if by_message else opened


def _files(path: Path, notes: Notes) -> tuple[list[Path], bool]:
    """Return the files in order, and whether each message is compressed."""
    if not path.exists():
        raise UsageError(f"there is no bag {path}")
    if path.is_file():
        return [path], False
    if not path.is_dir():
        raise UsageError(f"cannot read bag {path}: it is not a file; a bag is {HELP}")
    there = sorted((p for p in path.iterdir() if _is_storage(p)), key=_number)
    info = _information(path / METADATA, notes) or {}
    named = _named(path, info, notes)
    if named is None:
        notes.add(f"{path.name}: there is no {METADATA} that can be read, its files are read as is")
        named = there
    missing = [file for file in named if not file.is_file()]
    for file in missing:
        notes.add(f"{path.name}: {METADATA} names {file.name}, which is not there")
    found = [file for file in named if file not in missing]
    for file in there:
        if file not in found:
            notes.add(f"{path.name}: {file.name} is not in {METADATA}, it is read all the same")
            found.append(file)
    if not found:
        raise UsageError(f"cannot read bag {path}: no .mcap or .db3 file in it; a bag is {HELP}")
    return found, _is_message(info.get("compression_mode"))


def _is_message(mode: object) -> bool:
    return isinstance(mode, str) and mode.lower() == "message"


def _is_storage(path: Path) -> bool:
    name = path.stem if path.suffix == SUFFIX else path.name
    return Path(name).suffix in STORAGES and path.is_file() and not path.is_symlink()


def _number(path: Path) -> tuple[list[int], str]:
    """Sort key of rolled files: ``run_10.mcap`` comes after ``run_9.mcap``."""
    return [int(text) for text in re.findall(r"\d+", path.name)], path.name


def _named(folder: Path, info: dict[str, Any], notes: Notes) -> list[Path] | None:
    """Return the files that the metadata names; None if it names none."""
    names = info.get("relative_file_paths")
    if not isinstance(names, list):
        return None
    version = info.get("version")
    if not isinstance(version, int) or version > NEWEST_VERSION:
        shown = version if isinstance(version, int) else "of another kind"
        notes.add(f"{METADATA}: version {shown} is not known, read as version {NEWEST_VERSION}")
    if not all(isinstance(name, str) and len(name) <= _MAX_NAME for name in names):
        return None
    return [_inside(folder, name) for name in names]


def _information(path: Path, notes: Notes) -> dict[str, Any] | None:
    try:
        content = read_yaml(path, METADATA_FILE) if path.exists() else None
    except (OSError, UsageError) as exc:
        notes.add(str(exc))
        return None
    info = content.get("rosbag2_bagfile_information") if isinstance(content, dict) else None
    return info if isinstance(info, dict) else None


def _inside(folder: Path, name: str) -> Path:
    """Return the path of a file that the metadata names.

    Versions 1 to 3 put the folder's name in front of it.

    Raises:
        UsageError: it does not lie in the folder.
    """
    posix, windows = PurePosixPath(name), PureWindowsPath(name)
    parts = list(posix.parts)
    if len(parts) == 2 and not (folder / name).exists():
        parts = parts[1:]
    outside = posix.is_absolute() or windows.drive or windows.root or ".." in windows.parts
    if outside or len(parts) != 1 or (folder / parts[0]).is_symlink():
        raise UsageError(
            f"cannot read bag {folder}: {METADATA} names {name[:80]!r}, which is outside of the "
            "bag: only files in its folder are read"
        )
    return folder / parts[0]
