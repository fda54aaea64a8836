"""Data sets from recorded bags: hindsight examples, with the trials they were made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from shlex import quote
from typing import Any

import numpy as np

from icpi_ros import __version__
from icpi_ros.bags.parameters import RecordedSetup, recorded_setup
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.trials import RecordedTrial, read_trials
from icpi_ros.core.errors import DatasetError, UsageError
from icpi_ros.core.types import Trial
from icpi_ros.evaluate.dataset_from_runs import MIN_TRIALS, ImportedDataset
from icpi_ros.evaluate.recorded_runs import RecordedRun, group
from icpi_ros.evaluate.reperception import executed_of, see_runs
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.learn.building.hindsight import all_pairs, relabel, shows_outcome
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.dataset.execution import Execution
from icpi_ros.learn.dataset.joining import choose, join
from icpi_ros.learn.dataset.mixing import ArmId, distinct, refuse_ways, two_ways
from icpi_ros.perception.sources import SeenPath
from icpi_ros.tasks.base import Task


@dataclass(frozen=True)
class _Part:
    """The trials of one run of one bag, and how they were executed."""

    bag: str
    run_id: str
    executed: tuple[Trial, ...]
    way: Execution


def import_bags(
    bags: Sequence[Bag],
    task: Task,
    run_ids: Sequence[str] = (),
    examples: int | None = None,
    seed: int = 0,
    one_physics: bool = False,
    request: EvaluationRequest | None = None,
    mix: bool = False,
) -> ImportedDataset:
    """Relabel the recorded trials of bags by hindsight.

    A trial's path is the recorded one; where none was recorded, perception is done again.

    Args:
        bags: opened.
        task: of the runs; others are left out.
        run_ids: which runs; none = every run that is usable.
        examples: at most so many, chosen at random; None = every pair of trials.
        seed: of that choice.
        one_physics: all runs were made under the same conditions, so that trials of different
            runs are paired as well; False = each run is a physics of its own.
        request: source and camera of perception; None = as in the recording.
        mix: runs of several arms or backends are meant; provenance names them.

    Raises:
        UsageError: no run is usable, a named one is not there, or they would mix arms or backends.
    """
    parts: list[_Part] = []
    left_out: list[str] = []
    for bag in bags:
        try:
            found = _parts(bag, task, request or EvaluationRequest(), left_out)
        except UsageError as exc:
            left_out.append(str(exc))
            continue
        parts += [part for part in found if not run_ids or part.run_id in run_ids]
        left_out += bag.skipped
    missing = sorted(set(run_ids) - {part.run_id for part in parts})
    if missing:
        raise DatasetError(f"run {missing[0]} is in none of the bags, or not usable")
    made = _relabelled(task, parts, one_physics, left_out)
    if not made:
        why = f": {left_out[-1]}" if left_out else ""
        raise DatasetError(f"no run of task {task.name} is usable{why}")
    ways = [(f"run {part.run_id}", part.way) for part in parts]
    two = two_ways(ways)
    mixed = refuse_ways(two, "the data set", "give the bags of one of them", mix)
    dataset = choose(join(task, made), examples, seed)
    provenance = _provenance(task, parts, run_ids, one_physics, examples, seed)
    provenance |= {"mixed": mixed} if mixed else {}
    arms = distinct(ArmId.of_way(way) for _, way in ways)
    return ImportedDataset(replace(dataset, provenance=provenance, arms=arms), tuple(left_out))


def _parts(bag: Bag, task: Task, request: EvaluationRequest, left_out: list[str]) -> list[_Part]:
    trials = read_trials(bag)
    grouped = group(trials, task.name)
    left_out += grouped.skipped
    setup = recorded_setup(bag)
    return [
        _Part(
            str(bag.path),
            run.run_id,
            tuple(t for t in executed if shows_outcome(task, t.path)),
            setup.way(task),
        )
        for run in grouped.runs
        if (executed := executed_of(run, _seen(bag, run, trials, request, setup)))
    ]


def _seen(
    bag: Bag,
    run: RecordedRun,
    trials: Sequence[RecordedTrial],
    request: EvaluationRequest,
    setup: RecordedSetup,
) -> dict[int, SeenPath]:
    """Do perception again for the trials that have no recorded path; empty = all have one."""
    if all(trial.path is not None for trial in run.done):
        return {}
    _, seen = see_runs(bag, [run], trials, request, setup)
    return {t.number: seen[t.trial_id] for t in run.trials if t.trial_id in seen}


def _relabelled(
    task: Task, parts: list[_Part], one_physics: bool, left_out: list[str]
) -> list[Dataset]:
    """Return one set per physics; ``parts`` keeps those that were used."""
    together = [parts[:]] if one_physics and parts else [[part] for part in parts]
    made: list[Dataset] = []
    for members in together:
        thetas = np.array([trial.theta for part in members for trial in part.executed])
        paths = [trial.path for part in members for trial in part.executed]
        if len(paths) < MIN_TRIALS:
            names = ", ".join(part.run_id for part in members)
            left_out.append(
                f"run {names} has {len(paths)} trials with a path, hindsight needs at least "
                f"{MIN_TRIALS}"
            )
            for part in members:
                parts.remove(part)
            continue
        made.append(relabel(task, thetas, paths, all_pairs(len(paths)), len(made)))
    return made


def _provenance(
    task: Task,
    parts: list[_Part],
    run_ids: Sequence[str],
    one_physics: bool,
    examples: int | None,
    seed: int,
) -> dict[str, Any]:
    bags = list(dict.fromkeys(part.bag for part in parts))
    command = f"icpi dataset import --task {task.name}"
    command += "".join(f" --bag {quote(bag)}" for bag in bags)
    command += "".join(f" --run {quote(run_id)}" for run_id in run_ids)
    command += " --one-physics" if one_physics else ""
    if examples is not None:
        command += f" --examples {examples} --seed {seed}"
    used = [
        {"bag": part.bag, "run": part.run_id, "trials": [t.number for t in part.executed]}
        for part in parts
    ]
    return {
        "label": "hindsight",
        "source": "recorded bags",
        "command": command,
        "runs": [part.run_id for part in parts],
        "executed": used,
        "definition_hash": task.definition_hash(),
        "versions": {"icpi_ros": __version__, "numpy": np.__version__},
    }
