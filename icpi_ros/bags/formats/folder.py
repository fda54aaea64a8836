"""Folder of a new bag and its ``metadata.yaml``, as rosbag2 of Jazzy writes it (version 9).

Imports nothing heavy: `icpi up` checks the folder.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import check_folder_writable

VERSION = 9
METADATA = "metadata.yaml"


def make_folder(folder: Path) -> None:
    """Make the folder of a new bag.

    Raises:
        UsageError: it is there already, or cannot be made.
    """
    check_folder(folder)
    try:
        folder.mkdir(parents=True)
    except OSError as exc:
        raise UsageError(f"cannot make the folder {folder} of the bag: {exc.strerror}") from exc


def check_folder(folder: Path) -> None:
    """Check that a folder can become a bag.

    Raises:
        UsageError: it is there already, or cannot be made.
    """
    if folder.exists():
        raise UsageError(f"{folder} exists: a recording needs a folder of its own, name another")
    try:
        check_folder_writable(folder)
    except OSError as exc:
        raise UsageError(f"cannot make the folder {folder} of the bag: {exc.strerror}") from exc


@dataclass(frozen=True)
class TopicInfo:
    """A topic of a bag: name, type, hash of the type, offered QoS profiles (YAML), messages."""

    topic: str
    kind: str
    digest: str
    qos: str
    count: int


@dataclass(frozen=True)
class FileInfo:
    """A file of a bag: its name, first and last time of recording [ns], messages."""

    name: str
    start: int
    stop: int
    count: int


def write_metadata(folder: Path, files: Sequence[FileInfo], topics: Sequence[TopicInfo]) -> None:
    """Write the file, in one piece or not at all.

    Raises:
        OSError: it cannot be written.
    """
    text = yaml.safe_dump(_content(files, topics), sort_keys=False)
    path = folder / f"{METADATA}.new"
    path.write_text(text, encoding="utf-8")
    os.replace(path, folder / METADATA)


def _content(files: Sequence[FileInfo], topics: Sequence[TopicInfo]) -> dict[str, Any]:
    filled = [file for file in files if file.count]
    start = min((file.start for file in filled), default=0)
    stop = max((file.stop for file in filled), default=0)
    return {
        "rosbag2_bagfile_information": {
            "version": VERSION,
            "storage_identifier": "mcap",
            "duration": {"nanoseconds": stop - start},
            "starting_time": {"nanoseconds_since_epoch": start},
            "message_count": sum(file.count for file in files),
            "topics_with_message_count": [_topic(topic) for topic in topics],
            "compression_format": "",
            "compression_mode": "",
            "relative_file_paths": [file.name for file in files],
            "files": [_file(file) for file in files],
            "custom_data": None,
            "ros_distro": "jazzy",
        }
    }


def _topic(topic: TopicInfo) -> dict[str, Any]:
    return {
        "topic_metadata": {
            "name": topic.topic,
            "type": topic.kind,
            "serialization_format": "cdr",
            # Text that this process has just made, see qos_text.py: no file's.
            "offered_qos_profiles": yaml.safe_load(topic.qos) or [],
            "type_description_hash": topic.digest,
        },
        "message_count": topic.count,
    }


def _file(file: FileInfo) -> dict[str, Any]:
    return {
        "path": file.name,
        "starting_time": {"nanoseconds_since_epoch": file.start if file.count else 0},
        "duration": {"nanoseconds": file.stop - file.start if file.count else 0},
        "message_count": file.count,
    }
