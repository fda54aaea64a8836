"""Finished cells of a benchmark, kept beside its results file until that is complete."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any, ClassVar

from icpi_benchmarks.contest.cell import CellResult
from icpi_ros.core.errors import IcpiError, ResultsError
from icpi_ros.learn.dataset.side_folder import SideFolder, side_folder

CELLS = "units.jsonl"
DATASETS = "*.parquet"
LEFTOVERS = ".*.tmp"
Key = tuple[str, str, int]
"""Task, condition, instance."""


class CellLog(SideFolder):
    """The side folder of one benchmark: a line of JSON per finished cell.

    Args:
        out: the results file that is being made.
        manifest: JSON-able; a folder with another one belongs to another benchmark.

    Raises:
        ResultsError: of another benchmark, used by another process, or not writable.
    """

    error: ClassVar[type[IcpiError]] = ResultsError
    doing: ClassVar[str] = "running the benchmark for"
    holds: ClassVar[str] = "the finished instances of another benchmark"
    option: ClassVar[str] = "--json"

    def __init__(self, out: Path, manifest: dict[str, Any]) -> None:
        """Make the folder, or take up the one that is there."""
        super().__init__(out, manifest)
        self._path = self.folder / CELLS

    def take_up(self) -> dict[Key, CellResult]:
        """Return the finished cells; a damaged last line is cut off.

        Raises:
            ResultsError: the file cannot be read or written.
        """
        try:
            text = self._path.read_bytes() if self._path.exists() else b""
            found, length = _cells(text)
            if length < len(text):
                os.truncate(self._path, length)
        except OSError as exc:
            raise self.refused(exc) from exc
        return found

    def add(self, cell: CellResult) -> None:
        """Keep one finished cell; it is on disk when this returns.

        Raises:
            ResultsError: it cannot be written, for example because the disk is full.
        """
        line = json.dumps([cell.instance, cell.rows], allow_nan=False) + "\n"
        try:
            with self._path.open("ab") as file:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as exc:
            raise self.refused(exc) from exc

    def pieces(self) -> list[Path]:
        """Return the file of cells, the data sets built for them, and what a crash left behind."""
        return [path for kind in (CELLS, DATASETS, LEFTOVERS) for path in self.folder.glob(kind)]


def kept(out: Path, total: int) -> str:
    """Say what of a broken benchmark is kept, and how to go on."""
    folder = side_folder(out)
    try:
        count = (folder / CELLS).read_bytes().count(b"\n")
    except OSError:
        count = 0
    return (
        f"{count} of {total} instances are kept in {folder}: run the same command again to continue"
    )


def finished_cells(out: Path) -> list[CellResult]:
    """Return the finished cells of a broken benchmark; none where there are none."""
    try:
        return list(_cells((side_folder(out) / CELLS).read_bytes())[0].values())
    except OSError:
        return []


def key(cell: CellResult) -> Key:
    """Return what a cell is found by."""
    entry = cell.instance
    return entry["task"], entry["condition"], entry["instance"]


def _cells(text: bytes) -> tuple[dict[Key, CellResult], int]:
    """Return the whole lines and where they end; what comes after a damaged one is lost."""
    found, end = {}, 0
    for line in text.splitlines(keepends=True):
        if not line.endswith(b"\n"):
            break
        try:
            instance, rows = json.loads(line)
            cell = CellResult(instance, rows, 0, {})
            found[key(cell)] = cell
        except (ValueError, KeyError, TypeError):
            break
        end += len(line)
    return found, end
