"""In-Context Policy Improvement (ICPI, arXiv 2508.15021): a robot that gets better in a few tries.

    import icpi_ros as icpi

    run = icpi.improve("slide", seed=3, trials=6)  # in simulation, in this process
    run.best, run.to_pandas(), run.plot(), icpi.watch(run)

    run = icpi.Run("slide", goal=(0.6, 0.42))  # ask and tell, for a robot of your own
    while not run.finished:
        trial = run.ask()
        run.tell(my_robot(trial.theta))  # a trajectory, or an error vector

Every name here is imported when it is used first: the package itself imports nothing heavy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from icpi_ros.api import improve as improve
    from icpi_ros.api import load_dataset as load_dataset
    from icpi_ros.api import register as register
    from icpi_ros.api import rollout as rollout
    from icpi_ros.api import watch as watch
    from icpi_ros.core.errors import BudgetSpent as BudgetSpent
    from icpi_ros.core.errors import ObservationMissing as ObservationMissing
    from icpi_ros.core.errors import UsageError as UsageError
    from icpi_ros.core.types import ObjectTrajectory as ObjectTrajectory
    from icpi_ros.core.types import Proposal as Proposal
    from icpi_ros.core.types import Trial as Trial
    from icpi_ros.improvers.base import Improver as Improver
    from icpi_ros.learn.dataset.dataset import Dataset as Dataset
    from icpi_ros.robots.base import Arm as Arm
    from icpi_ros.runs.run import Run as Run
    from icpi_ros.runs.store.store import TrialStore as TrialStore
    from icpi_ros.tasks.base import Task as Task

__version__ = "0.2.0"

_HOMES = {
    "Arm": "icpi_ros.robots.base",
    "BudgetSpent": "icpi_ros.core.errors",
    "ObservationMissing": "icpi_ros.core.errors",
    "TrialStore": "icpi_ros.runs.store.store",
    "UsageError": "icpi_ros.core.errors",
    "Dataset": "icpi_ros.learn.dataset.dataset",
    "Improver": "icpi_ros.improvers.base",
    "ObjectTrajectory": "icpi_ros.core.types",
    "Proposal": "icpi_ros.core.types",
    "Run": "icpi_ros.runs.run",
    "Task": "icpi_ros.tasks.base",
    "Trial": "icpi_ros.core.types",
    "improve": "icpi_ros.api",
    "load_dataset": "icpi_ros.api",
    "register": "icpi_ros.api",
    "rollout": "icpi_ros.api",
    "watch": "icpi_ros.api",
}
"""Module of each public name."""
__all__ = ["__version__", *sorted(_HOMES)]


def __getattr__(name: str) -> Any:
    """Import a public name at its first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(_HOMES[name]), name)
    return found


def __dir__() -> list[str]:
    return list(__all__)
