"""Writer of the shipped fits: ``python -m icpi_ros.learn.outcome.ship_fits``, half a minute.

To be run whenever a shipped data set, the fit or its rows have changed; a test says so.
"""

from __future__ import annotations

from pathlib import Path

from threadpoolctl import threadpool_limits

from icpi_ros.learn.dataset.dataset import shipped, shipped_path
from icpi_ros.learn.outcome.fit import computed
from icpi_ros.learn.outcome.kept_fits import SHIPPED, keep
from icpi_ros.learn.outcome.model import fit_key, frame_and_rows, latent_dim
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task


def tasks_with_sets() -> list[Task]:
    """Return the tasks whose data sets come with the package."""
    return [TASKS.get(name) for name in TASKS.names() if shipped_path(name).is_file()]


def write(folder: Path = SHIPPED) -> list[Path]:
    """Write the fits that are not there, remove those of other data; return all files."""
    folder.mkdir(exist_ok=True)
    files = []
    for task in tasks_with_sets():
        data = shipped(task)
        key = fit_key(data, task.space, task.cost_mask)
        files.append(folder / f"{key}.npy")
        if not files[-1].is_file():
            rows = frame_and_rows(data, task.space, task.cost_mask)[1]
            keep(files[-1], computed(rows, latent_dim(rows)))
    for old in set(folder.glob("*.npy")) - set(files):
        old.unlink()
    return files


if __name__ == "__main__":
    with threadpool_limits(1):
        for path in write():
            print(path)
