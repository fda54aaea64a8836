"""Finished pieces of long work, kept beside its output until it is complete.

``FILE.parts/`` holds ``plan.json`` (what is being made), a lock, and the pieces.  The same work
continues from it after a crash, a kill, a full disk or Ctrl-C; other work is refused.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any, ClassVar, Self

from icpi_ros.core.errors import DatasetError, IcpiError, UsageError
from icpi_ros.core.files import FileLock, LockTaken, require_place
from icpi_ros.core.redact import Json
from icpi_ros.learn.dataset import parquet
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.dataset.parquet import differences
from icpi_ros.tasks.base import Task

MANIFEST = "plan.json"
LOCK = "lock"


def side_folder(out: Path) -> Path:
    """Return the side folder of work whose output is ``out``."""
    return out.with_name(f"{out.name}.parts")


class SideFolder:
    """The side folder of one output, locked against a second process while it is open.

    Subclasses name the pieces, add, read and delete them.

    Args:
        out: the file that is being made.
        manifest: JSON-able; a folder with another one belongs to other work.

    Raises:
        IcpiError: of other work, used by another process, or not writable; of type ``error``.
    """

    error: ClassVar[type[IcpiError]] = UsageError
    doing: ClassVar[str] = "building"
    """Activity of another process with the same output, as an error names it."""
    holds: ClassVar[str] = "the finished draws of another build"
    """Content of a folder with another manifest, as an error names it."""
    option: ClassVar[str] = "--out"
    """The option that names the output."""
    unimportant: ClassVar[tuple[str, ...]] = ("command",)
    """Keys of the manifest that may differ: their relevant parts are other keys."""
    later: ClassVar[tuple[str, ...]] = ()
    """Keys that folders of older versions do not have: not compared with those."""

    def __init__(self, out: Path, manifest: dict[str, Any]) -> None:
        """Make the folder, or take up the one that is there."""
        self.folder = side_folder(out)
        self._out = out
        self._manifest: dict[str, Any] = json.loads(json.dumps(manifest))
        try:
            require_place(self.folder)
            self.folder.mkdir(exist_ok=True)
            self._lock = FileLock(self.folder / LOCK)
        except LockTaken:
            raise self.error(
                f"another process is {self.doing} {self._out}: wait for it, or name another file"
            ) from None
        except OSError as exc:
            raise self.refused(exc) from exc
        try:
            self._enter()
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Unlock the folder; what it holds stays."""
        self._lock.release()

    def pieces(self) -> list[Path]:
        """Return the files that belong to the work, apart from manifest and lock."""
        raise NotImplementedError

    def remove(self) -> None:
        """Delete the folder: the output is complete."""
        with contextlib.suppress(OSError):
            for path in self.pieces():
                path.unlink()
            (self.folder / MANIFEST).unlink(missing_ok=True)
            (self.folder / LOCK).unlink()
            self.folder.rmdir()

    def refused(self, exc: OSError) -> IcpiError:
        """Return the error of a folder that cannot be written."""
        return self.error(f"cannot write {self.folder}: {exc.strerror or exc}")

    def _enter(self) -> None:
        path = self.folder / MANIFEST
        try:
            if path.exists():
                self._compare(path.read_text(encoding="utf-8"))
                return
            temporary = path.with_suffix(".tmp")
            temporary.write_text(json.dumps(self._manifest, indent=1), encoding="utf-8")
            temporary.replace(path)
        except OSError as exc:
            raise self.refused(exc) from exc

    def _compare(self, text: str) -> None:
        try:
            there: Json = json.loads(text)
        except ValueError:
            there = None
        now = {key: value for key, value in self._manifest.items() if key not in self.unimportant}
        if isinstance(there, dict):
            now = {key: now[key] for key in now if key in there or key not in self.later}
            there = {key: value for key, value in there.items() if key not in self.unimportant}
        if there == now:
            return
        changes = "; ".join(list(differences(there, now))[:3])
        raise self.error(
            f"{self.folder} holds {self.holds} ({changes}): give the same arguments to continue "
            f"it, delete the folder, or name another {self.option}"
        )


PART_FILES = "draw-*.parquet"


class DatasetParts(SideFolder):
    """The side folder of one build: each sample is whole or not there at all.

    Args:
        out: the file that is being built.
        task: of the examples.
        manifest: JSON-able; a folder with another one belongs to another build.

    Raises:
        DatasetError: of another build, used by another process, or not writable.
    """

    error: ClassVar[type[IcpiError]] = DatasetError
    later: ClassVar[tuple[str, ...]] = ("arm_hash",)

    def __init__(self, out: Path, task: Task, manifest: dict[str, Any]) -> None:
        """Make the folder, or take up the one that is there."""
        self._task = task
        super().__init__(out, manifest)

    def done(self) -> dict[int, Dataset]:
        """Return the finished physics samples; a damaged file counts as not finished.

        So does one without paths, of an older version.
        """
        found = {}
        for path in sorted(self.folder.glob(PART_FILES)):
            number = path.stem.removeprefix("draw-")
            with contextlib.suppress(DatasetError):
                found[int(number)] = parquet.read(path, self._task)
        return {n: part for n, part in found.items() if part.path is not None or not len(part)}

    def add(self, draw: int, dataset: Dataset) -> None:
        """Keep one finished physics sample; it is on disk when this returns.

        Raises:
            DatasetError: it cannot be written, for example because the disk is full.
        """
        parquet.write(dataset, self.folder / f"draw-{draw:05d}.parquet", self._task)

    def pieces(self) -> list[Path]:
        """Return the finished samples and the rest of an interrupted write."""
        return [*self.folder.glob(PART_FILES), *self.folder.glob(".draw-*.tmp")]
