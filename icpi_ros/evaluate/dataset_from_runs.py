"""Data sets from executed trials: a robot's own runs become examples, without any simulator."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from icpi_ros import __version__
from icpi_ros.core.errors import DatasetError, InvalidValue
from icpi_ros.core.types import TrialStatus
from icpi_ros.learn.building.hindsight import all_pairs, relabel, shows_outcome
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.dataset.execution import Execution, refuse_mixed
from icpi_ros.learn.dataset.joining import choose, join
from icpi_ros.learn.dataset.mixing import ArmId, distinct, refuse_ways, two_ways
from icpi_ros.runs.store.store import RunRecord, TrialStore
from icpi_ros.tasks.base import Task

MIN_TRIALS = 2


@dataclass(frozen=True)
class ImportedDataset:
    """A data set, and one line for every run that gave nothing to it."""

    dataset: Dataset
    left_out: tuple[str, ...]


def import_runs(
    store: TrialStore,
    task: Task,
    run_ids: Sequence[str] = (),
    examples: int | None = None,
    seed: int = 0,
    mix: bool = False,
) -> ImportedDataset:
    """Relabel the trials of stored runs by hindsight.

    Each run counts as one physics: its trials must have been made under the same conditions.
    The runs must be of one arm and one backend.

    Args:
        store: where the runs are.
        task: of the runs.
        run_ids: which runs, in this order; none = every run of the task that is usable.
        examples: at most so many, chosen at random; None = every pair of trials.
        seed: of that choice.
        mix: runs of several arms or backends are meant; provenance names them.

    Raises:
        UsageError: a named run is not usable, no run is, or they would mix arms or backends.
    """
    ids = list(run_ids) or [run.run_id for run in store.runs() if run.task == task.name]
    if len(set(ids)) != len(ids):
        raise InvalidValue(f"a run is named twice: {', '.join(ids)}")
    if not ids:
        raise DatasetError(f"{store.path} holds no run of task {task.name}: see `icpi runs`")
    parts: list[Dataset] = []
    used, left_out = [], []
    for run_id in ids:
        try:
            parts.append(_relabel_run(store, task, run_id, len(parts), mix))
            used.append(run_id)
        except DatasetError as exc:
            if run_ids:
                raise
            left_out.append(str(exc))
    if not parts:
        raise DatasetError(f"no run of task {task.name} is usable: {left_out[-1]}")
    ways = [(f"run {run_id}", way) for run_id in used for way in _ways(store, run_id)]
    found = two_ways(ways)
    mixed = refuse_ways(found, "the data set", "name the runs of one of them with --run", mix)
    dataset = choose(join(task, parts), examples, seed)
    made = _provenance(task, used, examples, seed) | ({"mixed": mixed} if mixed else {})
    arms = distinct(ArmId.of_way(way) for _, way in ways)
    return ImportedDataset(replace(dataset, provenance=made, arms=arms), tuple(left_out))


def _ways(store: TrialStore, run_id: str) -> list[Execution]:
    """Return in which ways the trials of a run were executed, as far as that is known."""
    trials, ways = store.trials(run_id, all_attempts=True), store.executions(run_id)
    done = [trial.status is TrialStatus.DONE for trial in trials]
    return [way for way, is_done in zip(ways, done, strict=True) if is_done]


def _relabel_run(store: TrialStore, task: Task, run_id: str, group: int, mix: bool) -> Dataset:
    record = store.run(run_id)
    _check_run(record, task)
    if not mix:
        refuse_mixed(run_id, record.mixed)
    trials = [
        t
        for t in store.trials(run_id)
        if t.outcome is not None and shows_outcome(task, t.trajectory)
    ]
    if len(trials) < MIN_TRIALS:
        raise DatasetError(
            f"run {run_id} has {len(trials)} finished trials with a trajectory, hindsight needs "
            f"at least {MIN_TRIALS}: continue it with `icpi run --resume {run_id}`"
        )
    trajectories = [t.trajectory for t in trials if t.trajectory is not None]
    thetas = np.stack([t.theta for t in trials])
    return relabel(task, thetas, trajectories, all_pairs(len(trials)), group)


def _check_run(run: RunRecord, task: Task) -> None:
    config = run.config
    if config.task != task.name:
        raise DatasetError(f"run {run.run_id} is of task {config.task!r}, not {task.name!r}")
    if config.definition_hash not in ("", task.definition_hash()):
        raise DatasetError(
            f"run {run.run_id} was made with another definition of task {task.name} "
            f"({config.definition_hash}, now {task.definition_hash()}): its trials do not fit"
        )


def _provenance(
    task: Task, run_ids: Sequence[str], examples: int | None, seed: int
) -> dict[str, Any]:
    command = f"icpi dataset import --task {task.name} --run {' '.join(run_ids)}"
    if examples is not None:
        command += f" --examples {examples} --seed {seed}"
    return {
        "label": "hindsight",
        "source": "stored trials",
        "command": command,
        "runs": list(run_ids),
        "definition_hash": task.definition_hash(),
        "versions": {"icpi_ros": __version__, "numpy": np.__version__},
    }
