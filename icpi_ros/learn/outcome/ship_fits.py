"""Writer of the shipped fits: ``python -m icpi_ros.learn.outcome.ship_fits``, half a minute.

To be run whenever a shipped data set, the fit or its rows have changed; a test says so.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from threadpoolctl import threadpool_limits

from icpi_ros.core.types import Array
from icpi_ros.learn.dataset.dataset import shipped, shipped_path
from icpi_ros.learn.outcome.fitting.kept_fits import SHIPPED, keep, read
from icpi_ros.learn.outcome.model import learn
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task


def tasks_with_sets() -> list[Task]:
    """Return the tasks whose data sets come with the package."""
    return [TASKS.get(name) for name in TASKS.names() if shipped_path(name).is_file()]


class Shipper:
    """Way to find fits that writes those that are not there into a folder.

    Attributes:
        files: that were asked for.
    """

    def __init__(self, folder: Path = SHIPPED) -> None:
        """Remember the folder, which is made."""
        folder.mkdir(exist_ok=True)
        self.folder, self.files = folder, list[Path]()

    def __call__(self, name: str, _: str, size: int, compute: Callable[[], Array]) -> Array:
        """See :data:`icpi_ros.learn.outcome.fitting.kept_fits.Fetch`."""
        path = self.folder / f"{name}.npy"
        self.files.append(path)
        found = read(path, size)
        if found is None:
            keep(path, compute())
            found = read(path, size)
            assert found is not None  # written just now
        return found


def write(folder: Path = SHIPPED) -> list[Path]:
    """Write the fits that are not there, remove those of other data; return all files."""
    shipper = Shipper(folder)
    for task in tasks_with_sets():
        learn(shipped(task), task.space, task.cost_mask, shipper)
    for old in set(folder.glob("*.npy")) - set(shipper.files):
        old.unlink()
    return shipper.files


if __name__ == "__main__":
    with threadpool_limits(1):
        for path in write():
            print(path)
