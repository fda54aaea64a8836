"""Reader of SQLite3 bag files, of any schema that rosbag2 has written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

from icpi_ros.bags.formats.raw import Channel, Notes, RawMessage, check_start, why
from icpi_ros.core.errors import UsageError

MAGIC = b"SQLite format 3\x00"


class SqliteFile:
    """Reader of one SQLite3 bag file, with the interface of :class:`.mcap_file.McapFile`."""

    def __init__(self, path: Path, notes: Notes) -> None:
        """Read the table of topics.

        Raises:
            UsageError: it cannot be opened, or is not a bag.
        """
        self.path, self._notes = path, notes
        check_start(path, MAGIC, "a SQLite file")
        try:
            with closing(self._connect()) as database:
                self._channels = _channels(database)
        except (sqlite3.Error, ValueError, TypeError) as exc:
            raise UsageError(f"cannot read bag {path}: {why(exc)}") from exc

    def channels(self) -> list[Channel]:
        """Return the topics."""
        return list(self._channels.values())

    def messages(self, wanted: Any) -> Iterator[RawMessage]:
        """Yield messages of channels for which ``wanted(channel)`` holds, in time order."""
        keep = {id_: channel for id_, channel in self._channels.items() if wanted(channel)}
        if not keep:
            return
        marks = ",".join("?" * len(keep))
        query = (
            f"SELECT topic_id, timestamp, data FROM messages WHERE topic_id IN ({marks}) "
            "ORDER BY timestamp"
        )
        try:
            with closing(self._connect()) as database:
                for id_, ns, data in database.execute(query, tuple(keep)):
                    if isinstance(ns, int) and isinstance(data, bytes):
                        yield RawMessage(ns, keep[id_], data)
                    else:
                        self._notes.add(f"{self.path.name}: a damaged message is skipped")
        except sqlite3.Error as exc:
            self._notes.add(f"{self.path.name}: reading ends early, {why(exc)}")

    def _connect(self) -> sqlite3.Connection:
        # What a killed recorder left in its write-ahead log only counts if SQLite may look at it.
        log = self.path.with_name(self.path.name + "-wal")
        mode = "mode=ro" if log.exists() and log.stat().st_size else "mode=ro&immutable=1"
        database = sqlite3.connect(f"file:{quote(str(self.path.resolve()))}?{mode}", uri=True)
        database.execute("PRAGMA trusted_schema = OFF")
        database.execute("PRAGMA cell_size_check = ON")
        return database


def _channels(database: sqlite3.Connection) -> dict[int, Channel]:
    # A view can have rows without end.
    tables = database.execute(
        "SELECT name FROM sqlite_master WHERE type = 'table' AND rootpage > 0"
    )
    if not {"topics", "messages"} <= (names := {name for (name,) in tables}):
        raise ValueError("it has no tables of topics and messages")
    columns = {row[1] for row in database.execute("PRAGMA table_info(topics)")}
    if not {"id", "name", "type", "serialization_format"} <= columns:
        raise ValueError("it has no table of topics")
    qos = "offered_qos_profiles" if "offered_qos_profiles" in columns else "''"
    definitions = _definitions(database) if "message_definitions" in names else {}
    found = {}
    rows = database.execute(f"SELECT id, name, type, serialization_format, {qos} FROM topics")
    for id_, name, kind, encoding, profiles in rows:
        language, text = definitions.get(str(kind), ("ros2msg", ""))
        found[int(id_)] = Channel(
            str(name), str(kind), str(encoding), text, language, str(profiles or "")
        )
    return found


def _definitions(database: sqlite3.Connection) -> dict[str, tuple[str, str]]:
    columns = {row[1] for row in database.execute("PRAGMA table_info(message_definitions)")}
    if not {"topic_type", "encoding", "encoded_message_definition"} <= columns:
        return {}
    rows = database.execute(
        "SELECT topic_type, encoding, encoded_message_definition FROM message_definitions"
    )
    return {str(kind): (str(language), str(text)) for kind, language, text in rows}
