"""Finished draws of a build, kept beside its output until it is complete.

``FILE.parts/`` holds ``plan.json`` (what is being built) and one Parquet file per finished draw,
each whole or not there at all.  The same build continues from it after a crash, a kill, a full
disk or Ctrl-C; another one is refused.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from icpi_ros.data import parquet
from icpi_ros.data.dataset import Dataset
from icpi_ros.errors import DatasetError
from icpi_ros.redact import Json
from icpi_ros.tasks.base import Task

MANIFEST = "plan.json"
LOCK = "lock"
PART_FILES = "draw-*.parquet"


def parts_folder(out: Path) -> Path:
    """Return the side folder of a build into ``out``."""
    return out.with_name(f"{out.name}.parts")


class Parts:
    """The side folder of one build, locked against a second process while it is open.

    Args:
        out: the file that is being built.
        task: of the examples.
        manifest: JSON-able; a folder with another one belongs to another build.

    Raises:
        DatasetError: of another build, used by another process, or not writable.
    """

    def __init__(self, out: Path, task: Task, manifest: dict[str, Any]) -> None:
        """Make the folder, or take up the one that is there."""
        self.folder = parts_folder(out)
        self._out, self._task = out, task
        self._manifest: dict[str, Any] = json.loads(json.dumps(manifest))
        try:
            self.folder.mkdir(exist_ok=True)
            self._lock = os.open(self.folder / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as exc:
            raise self._refused(exc) from exc
        try:
            self._enter()
        except BaseException:
            os.close(self._lock)
            raise

    def __enter__(self) -> Parts:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Unlock the folder; what it holds stays."""
        os.close(self._lock)

    def done(self) -> dict[int, Dataset]:
        """Return the finished draws; a damaged file counts as not finished."""
        found = {}
        for path in sorted(self.folder.glob(PART_FILES)):
            number = path.stem.removeprefix("draw-")
            with contextlib.suppress(DatasetError):
                found[int(number)] = parquet.read(path, self._task)
        return found

    def add(self, draw: int, dataset: Dataset) -> None:
        """Keep one finished draw; it is on disk when this returns.

        Raises:
            DatasetError: it cannot be written, for example because the disk is full.
        """
        parquet.write(dataset, self.folder / f"draw-{draw:05d}.parquet", self._task)

    def remove(self) -> None:
        """Delete the folder: the output is complete."""
        with contextlib.suppress(OSError):
            for path in (*self.folder.glob(PART_FILES), *self.folder.glob(".draw-*.tmp")):
                path.unlink()
            (self.folder / MANIFEST).unlink(missing_ok=True)
            (self.folder / LOCK).unlink()
            self.folder.rmdir()

    def _enter(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DatasetError(
                f"another process is building {self._out}: wait for it, or name another file"
            ) from None
        path = self.folder / MANIFEST
        try:
            if path.exists():
                self._compare(path.read_text(encoding="utf-8"))
                return
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps(self._manifest, indent=1), encoding="utf-8")
            temporary.replace(path)
        except OSError as exc:
            raise self._refused(exc) from exc

    def _compare(self, text: str) -> None:
        try:
            there: Json = json.loads(text)
        except ValueError:
            there = None
        if there == self._manifest:
            return
        if isinstance(there, dict):
            there["command"] = self._manifest.get("command")  # its parts are named one by one
        changes = "; ".join(list(parquet.differences(there, self._manifest))[:3])
        raise DatasetError(
            f"{self.folder} holds the finished draws of another build ({changes}): "
            "give the same arguments to continue it, delete the folder, or name another --out"
        )

    def _refused(self, exc: OSError) -> DatasetError:
        return DatasetError(f"cannot write {self.folder}: {exc.strerror or exc}")
