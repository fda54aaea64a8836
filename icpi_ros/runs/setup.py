"""Checks of a new or resumed run before its first trial: numbers, examples, proposer."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from icpi_ros import __version__
from icpi_ros.core.errors import CompletionFailed, ModelUnavailable, UsageError, require_kind
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Context
from icpi_ros.learn.dataset.dataset import (
    Dataset,
    check_arm,
    check_task,
    empty,
    fingerprint,
    own_path,
    paths_fingerprint,
    shipped,
)
from icpi_ros.learn.dataset.execution import Backend, Execution, latest, mixture, remedy
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.learn.outcome.path_samples import remark_on_paths
from icpi_ros.llm.client.budget import Spending, spent_on
from icpi_ros.runs.answer import check_stop
from icpi_ros.runs.earlier import (
    AUTO,
    NONE,
    EarlierRuns,
    earlier_runs,
    examples_behind,
    read_learn_from,
)
from icpi_ros.runs.proposals import Proposals, Proposer, SeededProposals
from icpi_ros.runs.store.lease import RunInUse
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.runs.store.storage import MemoryStorage, Storage
from icpi_ros.settings.table import check_run, find
from icpi_ros.tasks import TASKS
from icpi_ros.tasks.base import Task

ALLOW = "allow"
"""Value of the setting ``fallback`` with which a run goes on without its model."""
RANDOM = "random"
"""Value of the setting ``first`` of a run that does not begin with the demonstration."""
MAX_BUDGET = int(find("trials").upper)


@dataclass(frozen=True)
class Continuation:
    """Consequences of the earlier way of execution for a resumed run.

    Attributes:
        mixed: arms or backends that will be mixed on purpose; empty = none.
        remark: unknown facts in one line; empty = all is known.
        permitted: the store holds a permission to mix, which this resume uses up.
    """

    mixed: str = ""
    remark: str = ""
    permitted: bool = False


def last_execution(store: Storage, run_id: str) -> Execution:
    """Return the way in which a stored run was executed last, as far as that is known."""
    return latest(store.run(run_id).execution, store.executions(run_id))


def check_execution(store: Storage, run_id: str, now: Execution) -> Continuation:
    """Check that a stored run may go on in the way ``now``; nothing is written.

    Raises:
        UnknownRun: no such run.
        UsageError: it would mix arms or backends, without a permission.
    """
    record, before = store.run(run_id), last_execution(store, run_id)
    if what := mixture(before, now):
        if not record.may_mix:
            raise UsageError(f"run {run_id} {what}: {remedy(before)}")
        return Continuation(f"{now} (before that {before})", permitted=True)
    return Continuation(remark=_doubt(run_id, before, now), permitted=record.may_mix)


def _doubt(run_id: str, before: Execution, now: Execution) -> str:
    unchecked = "whether it goes on in the same way was not checked"
    if before.backend is Backend.UNKNOWN:
        return f"the store does not know how run {run_id} was executed so far: {unchecked}"
    if now.backend is Backend.UNKNOWN:
        return f"run {run_id} was executed {before}; how it goes on is not known: {unchecked}"
    return ""


def find_examples(task: Task, improver: str, dataset: Dataset | None) -> Dataset:
    """Return ``dataset``, or the task's own, or none for an improver that needs or has none.

    Raises:
        UnknownName: no such improver.
        DatasetError: of another task, or none is shipped.
    """
    if dataset is not None:
        require_kind("dataset", dataset, Dataset, "a Dataset, see load_dataset")
        check_task(dataset, task)
        return dataset
    kind = IMPROVERS.get(improver)
    takes = kind.needs_dataset or (kind.uses_dataset and own_path(task).exists())
    return shipped(task) if takes else empty(task)


def find_earlier_runs(
    storage: Storage | None,
    task: Task,
    improver: str,
    execution: Execution,
    learn_from: str | Sequence[str],
    dataset: Dataset | None,
) -> EarlierRuns:
    """Return the earlier runs that a new run learns from.

    Args:
        storage: of the runs; None = there is none.
        task: of the run.
        improver: of the run; one that learns from no examples learns from no runs.
        execution: of its trials.
        learn_from: value of the setting of this name.
        dataset: given to the run; None = the shipped one, if there is one.

    Raises:
        UnknownName: no such improver.
        UsageError: a value that is not allowed, or a named run that does not fit.
    """
    word, ids = read_learn_from(learn_from)
    has_set = dataset is not None or own_path(task).exists()
    nothing = word == NONE or (word == AUTO and has_set)
    if nothing or storage is None:
        return EarlierRuns()
    kind = IMPROVERS.get(improver)
    if not (kind.needs_dataset or kind.uses_dataset):
        return EarlierRuns()
    return earlier_runs(storage, task, execution, ids)


def _examples_beside(
    task: Task, improver: str, dataset: Dataset | None, learned_from: Mapping[str, int]
) -> Dataset:
    """Return :func:`find_examples`, or none where the task has none and there are earlier runs."""
    if dataset is None and learned_from and not own_path(task).exists():
        return empty(task)
    return find_examples(task, improver, dataset)


def remark_on_examples(
    task: Task, improver: str, dataset: Dataset | None, earlier: EarlierRuns
) -> str:
    """Return one line on what a run does not learn from; empty = nothing to say."""
    alone, kind = "", IMPROVERS.get(improver)
    has_set = dataset is not None or own_path(task).exists()
    if dataset is not None and kind.uses_paths:
        alone = remark_on_paths(dataset, improver)
    elif not has_set and not earlier.trials and kind.uses_dataset:
        alone = f"no data set of task {task.name}: {improver} learns from the run's own trials"
    return "; ".join(filter(None, (alone, earlier.remark)))


def remark_on_resumed(config: RunConfig, task: Task, dataset: Dataset | None) -> str:
    """Return one line on what a resumed run does not learn from; empty = nothing to say."""
    return remark_on_examples(task, config.improver, dataset, EarlierRuns(config.learned_from))


def examples_hash(dataset: Dataset) -> str:
    """Return the fingerprint of a run's data set; empty = no example."""
    return fingerprint(dataset) if len(dataset) else ""


def _paths_hash(improver: str, examples: Dataset) -> str | None:
    """Return the hash of the examples' paths; None = the improver reads none, or is no improver."""
    reads = improver in IMPROVERS and IMPROVERS.get(improver).uses_paths
    return paths_fingerprint(examples) if reads else None


def make_proposer(
    task: Task, config: RunConfig, dataset: Dataset, spent: Spending | None = None
) -> Proposer:
    """Build the run's improver; ``spent`` is what a resumed run has paid for its model.

    Raises:
        UsageError: the improver refuses its options or data set.
    """
    context = Context(
        space=task.space,
        goal=np.array(config.goal, dtype=np.float64),
        cost_mask=task.cost_mask,
        dataset=dataset,
        options=dict(config.options),
        spent=spent or Spending(),
    )
    return Proposer(config.improver, context)


def require_model(improver: str, options: Mapping[str, Any]) -> None:
    """Check that the model of an improver can be asked, before anything moves.

    Raises:
        UnknownName: no such improver.
        ModelUnavailable: its key is not set, or its endpoint does not answer or refuses the key.
    """
    try:
        IMPROVERS.get(improver).require_model(options)
    except CompletionFailed as exc:
        raise ModelUnavailable(
            f"improver {improver}: {exc}; to go on with what stands in for it: --fallback allow "
            "(of a graph fallback:=allow)"
        ) from None


def check_surroundings(storage: Any, execution: Any, mix: Any, proposals: Any = None) -> None:
    """Check where and how a run is stored and executed, as far as types tell.

    Raises:
        InvalidValue: one is of another type; names it and what is allowed.
        UsageError: a run with proposals of its own would be on disk.
    """
    if storage is not None and not hasattr(storage, "create_run"):
        require_kind("storage", storage, (), "a TrialStore(path), or None for memory")
    require_kind("execution", execution, Execution, "an Execution")
    find("mix").check(mix)
    if proposals is not None and not isinstance(storage, MemoryStorage | None):
        raise UsageError("a run with proposals of its own is kept in memory: leave storage out")


def versions() -> dict[str, str]:
    """Return the versions that a run depends on."""
    return {"icpi_ros": __version__, "numpy": np.__version__, "python": platform.python_version()}


@dataclass(frozen=True)
class PreparedRun:
    """Task, configuration and source of proposals of a run that was checked.

    ``remark``: facts about the run that a person should know, in one line; empty = none.
    """

    task: Task
    config: RunConfig
    proposals: Proposals
    continuation: Continuation = field(default_factory=Continuation)
    remark: str = ""


def prepare(
    task: Task,
    config: RunConfig,
    dataset: Dataset | None,
    proposals: Proposals | None,
    storage: Storage | None,
    execution: Execution,
    mix: bool,
    learn_from: str | Sequence[str],
) -> PreparedRun:
    """Complete the configuration of a new run and check it; nothing is written.

    Args:
        task: of the run.
        config: versions, hashes, arm of the data set and earlier runs are filled in.
        dataset: examples; None = the shipped set, where the improver needs one.
        proposals: source of theta; None = the improver.  With its own a run learns from no other.
        storage: of the earlier runs that it may learn from; None = there is none.
        execution: of its trials.
        mix: examples of another arm are meant.
        learn_from: value of the setting of this name.

    Raises:
        UsageError: a value is not allowed, or the data set is of another task, or of another arm
            and ``mix`` is false, or a named earlier run does not fit.
    """
    if proposals is not None:
        dataset, storage = empty(task) if dataset is None else dataset, None
    earlier = find_earlier_runs(storage, task, config.improver, execution, learn_from, dataset)
    examples = _examples_beside(task, config.improver, dataset, earlier.trials)
    config = replace(
        config,
        versions=versions(),
        definition_hash=task.definition_hash(),
        dataset_hash=examples_hash(examples),
        paths_hash=_paths_hash(config.improver, examples),
        dataset_arm=check_arm(examples, ArmId.of_way(execution), mix),
        learned_from=earlier.trials,
    )
    check_run(config)
    check_stop(config.stop, config.improver)
    if storage is not None:
        examples = examples_behind(examples, storage, task, earlier.trials)
    if proposals is not None:
        return PreparedRun(task, config, proposals)
    known = examples if earlier.trials else dataset
    remark = remark_on_examples(task, config.improver, known, earlier)
    return PreparedRun(task, config, _seeded(task, config, examples), remark=remark)


def examples_of(
    storage: Storage, run_id: str, task: Task, improver: str, dataset: Dataset | None
) -> Dataset:
    """Return the examples that a stored run began with, those of earlier runs included.

    Args:
        storage: of the run and of those that it learns from.
        run_id: of the run.
        task: of the run.
        improver: that learns from them.
        dataset: the run's; None = the shipped one.

    Raises:
        UsageError: it is another data set, or has other paths, or a run that it learns from is
            gone.
    """
    config = storage.run(run_id).config
    examples = _examples_beside(task, improver, dataset, config.learned_from)
    if config.dataset_hash != examples_hash(examples):
        raise UsageError(
            f"run {run_id} began with another data set ({config.dataset_hash or 'none'}): "
            "give that one with --dataset, or start a new run"
        )
    if config.paths_hash not in (None, now := _paths_hash(improver, examples)):
        raise UsageError(
            f"run {run_id} began with other paths beside the same examples "
            f"({config.paths_hash or 'none'}, now {now or 'none'}): give that data set with "
            "--dataset, or start a new run"
        )
    try:
        return examples_behind(examples, storage, task, config.learned_from)
    except UsageError as exc:
        raise UsageError(f"run {run_id}: {exc}") from exc


def _seeded(
    task: Task, config: RunConfig, dataset: Dataset, spent: Spending | None = None
) -> SeededProposals:
    """Return the improver's proposals after a first trial that is that of the configuration."""
    first = None if config.first == RANDOM else task.first_theta
    return SeededProposals(make_proposer(task, config, dataset, spent), config.seed, first)


def resumable(
    storage: Storage,
    run_id: str,
    dataset: Dataset | None,
    execution: Execution,
    stop: str | None = None,
) -> PreparedRun:
    """Check that a stored run may go on; nothing is written.  ``stop`` None = as it began.

    Raises:
        UnknownRun: no such run.
        RunInUse: a run of this process is writing it.
        UsageError: the task's definition or the data set is not that of the run, a run that it
            learns from is gone, or it would mix arms or backends without a permission.
    """
    if storage.holds(run_id):
        raise RunInUse(f"run {run_id} is still under way in this process: wait for its end")
    config = storage.run(run_id).config
    if stop is not None:
        find("stop").check(stop)
        config = replace(config, stop=stop)
    check_stop(config.stop, config.improver)
    task = TASKS.get(config.task)
    if config.definition_hash != task.definition_hash():
        raise UsageError(
            f"run {run_id} was made with another definition of task {task.name} "
            f"({config.definition_hash}, now {task.definition_hash()}): start a new run"
        )
    continuation = check_execution(storage, run_id, execution)
    examples = examples_of(storage, run_id, task, config.improver, dataset)
    spent = spent_on(storage.trials(run_id, all_attempts=True))
    proposals = _seeded(task, config, examples, spent)
    alone = remark_on_resumed(config, task, dataset)
    remark = "; ".join(filter(None, (continuation.remark, alone)))
    return PreparedRun(task, config, proposals, continuation, remark)
