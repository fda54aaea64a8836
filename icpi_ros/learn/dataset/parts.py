"""Finished draws of a data-set build, one Parquet file each, kept until the build is complete."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any, ClassVar

from icpi_ros.core.errors import DatasetError, IcpiError
from icpi_ros.learn.dataset import parquet
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.dataset.side_folder import SideFolder
from icpi_ros.tasks.base import Task

PART_FILES = "draw-*.parquet"


class Parts(SideFolder):
    """The side folder of one build: each draw is whole or not there at all.

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

    def pieces(self) -> list[Path]:
        """Return the finished draws and what an interrupted write left."""
        return [*self.folder.glob(PART_FILES), *self.folder.glob(".draw-*.tmp")]
