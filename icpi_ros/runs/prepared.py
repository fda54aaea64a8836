"""What a run begins or goes on with, checked."""

from __future__ import annotations

from dataclasses import dataclass, field

from icpi_ros.core.errors import UsageError
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.dataset.execution import Execution
from icpi_ros.llm.client.budget import spent_on
from icpi_ros.runs.proposals import Proposals, Seeded
from icpi_ros.runs.setup import (
    Continuation,
    check_execution,
    examples_hash,
    find_examples,
    make_proposer,
)
from icpi_ros.runs.storage import Storage
from icpi_ros.runs.store.lease import RunInUse
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task


@dataclass(frozen=True)
class Prepared:
    """What a run is asked to do, and the source of its proposals."""

    task: Task
    config: RunConfig
    proposals: Proposals
    continuation: Continuation = field(default_factory=Continuation)


def resumable(
    storage: Storage, run_id: str, dataset: Dataset | None, execution: Execution
) -> Prepared:
    """Check that a stored run may go on; nothing is written.

    Raises:
        UnknownRun: no such run.
        RunInUse: a run of this process is writing it.
        UsageError: the task's definition or the data set is not that of the run, or it would mix
            arms or backends without a permission.
    """
    if storage.holds(run_id):
        raise RunInUse(f"run {run_id} is still under way in this process: wait for its end")
    config = storage.run(run_id).config
    task = TASKS.get(config.task)
    if config.definition_hash != task.definition_hash():
        raise UsageError(
            f"run {run_id} was made with another definition of task {task.name} "
            f"({config.definition_hash}, now {task.definition_hash()}): start a new run"
        )
    continuation = check_execution(storage, run_id, execution)
    examples = find_examples(task, config.improver, dataset)
    if config.dataset_hash != examples_hash(examples):
        raise UsageError(
            f"run {run_id} began with another data set ({config.dataset_hash or 'none'}): "
            "give that one with --dataset, or start a new run"
        )
    spent = spent_on(storage.trials(run_id, all_attempts=True))
    proposals = Seeded(make_proposer(task, config, examples, spent), config.seed)
    return Prepared(task, config, proposals, continuation)
