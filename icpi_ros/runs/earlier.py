"""Earlier runs as examples of the next one: of the same task, executed by the same arm and backend.

Nobody knows whether two runs had the same physics (another object, another friction), so each is a
physics sample of its own.  Its trials are taken as they are: pairs by hindsight
(:mod:`icpi_ros.learn.building.hindsight`) say no more of outcomes, and what `embedded` learnt from
many pairs of a few runs was worse (docs/earlier_runs.md).

Trials are never changed once they are done, so a run whose earlier runs are known by their ids and
numbers of trials can make the same examples again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from icpi_ros.core.errors import StoreError, UsageError, require_kind
from icpi_ros.core.types import Trial
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.dataset.execution import Execution, mixture
from icpi_ros.learn.dataset.joining import join, together
from icpi_ros.learn.dataset.mixing import ArmId, distinct
from icpi_ros.learn.paths import path_times, sample_paths
from icpi_ros.runs.outcome import outcome
from icpi_ros.runs.store.records import RunRecord, RunSummary, UnknownRun
from icpi_ros.runs.store.storage import Storage
from icpi_ros.tasks.base import Task

AUTO, STORE, NONE = "auto", "store", "none"
"""Values of the setting ``learn_from`` beside ids of runs: the store where there is no data set,
the store in any case, nothing."""
MAX_TRIALS = 200
"""Most trials that a run learns from, those of the latest runs: a larger fit takes longer."""
_OTHER_WAY = "of another arm or backend"
_OTHER_DEFINITION = "of another definition of the task"
_UNREADABLE = "damaged, or of a newer icpi_ros"
_TOO_MANY = f"beyond the latest {MAX_TRIALS} trials"


@dataclass(frozen=True)
class EarlierRuns:
    """Runs that a new run learns from.

    Attributes:
        trials: number of trials by id of the run, in the order of the ids.
        left_out: number of runs that are not learnt from, by reason.
    """

    trials: Mapping[str, int] = field(default_factory=dict)
    left_out: Mapping[str, int] = field(default_factory=dict)

    @property
    def remark(self) -> str:
        """One line on the runs that are left out; empty = none is."""
        if not self.left_out:
            return ""
        reasons = ", ".join(f"{count} {why}" for why, count in sorted(self.left_out.items()))
        count = sum(self.left_out.values())
        return f"does not learn from {_counted(count, 'earlier run')} of the task: {reasons}"


def read_learn_from(learn_from: str | Sequence[str]) -> tuple[str, list[str]]:
    """Return the word in a value of the setting, or "" and the ids of runs.

    Raises:
        InvalidValue: it is no text and no list of texts.
        UsageError: an id is empty or is named twice, or a word stands beside ids.
    """
    allowed = f"{AUTO}, {STORE}, {NONE}, or ids of runs with commas between"
    if isinstance(learn_from, str):
        names = [name.strip() for name in learn_from.split(",")]
    else:
        require_kind("learn_from", learn_from, (list, tuple), allowed)
        names = list(learn_from)
    for name in names:
        require_kind("learn_from", name, str, allowed)
    if len(names) == 1 and names[0] in (AUTO, STORE, NONE):
        return names[0], []
    wrong = [n for n in names if not n or n in (AUTO, STORE, NONE) or names.count(n) > 1]
    if wrong or not names:
        raise UsageError(
            f"learn_from = {learn_from!r} is not allowed: {allowed}, each once; see `icpi runs`"
        )
    return "", names


def earlier_runs(
    storage: Storage, task: Task, execution: Execution, named: Sequence[str] = ()
) -> EarlierRuns:
    """Choose what a new run learns from; nothing is written.

    Args:
        storage: of the earlier runs.
        task: of the new run.
        execution: of its trials.
        named: ids of runs; none = every run that fits.

    Raises:
        UnknownRun: a named run is not there.
        UsageError: a named run does not fit, or shows nothing to learn from.
    """
    left_out: Counter[str] = Counter()
    chosen: dict[str, int] = {}
    for run in reversed(_listed(storage, task, named)):
        room = MAX_TRIALS - sum(chosen.values())
        why = _why_not(storage, run, task, execution) if room or named else _TOO_MANY
        if named and why:
            raise UsageError(f"learn_from: run {run.run_id} is {why}, so its trials do not fit")
        if why or not room:
            left_out[why or _TOO_MANY] += 1
        elif count := len(_usable(storage.trials(run.run_id))):
            chosen[run.run_id] = min(count, room)
        elif named:
            raise UsageError(f"learn_from: run {run.run_id} has no trial with an outcome")
    return EarlierRuns(dict(sorted(chosen.items())), left_out)


def _listed(storage: Storage, task: Task, named: Sequence[str]) -> list[RunSummary]:
    """Return the named runs, or those of the task with an observed trial; the oldest first."""
    for run_id in named:
        storage.run(run_id)  # an unknown one is refused
    runs = storage.runs()
    if named:
        return [run for run in runs if run.run_id in named]
    return [run for run in runs if run.task == task.name and run.trials]


def _why_not(storage: Storage, run: RunSummary, task: Task, execution: Execution) -> str:
    """Return the reason why a run does not fit; empty = it does."""
    if run.task != task.name:
        return f"of task {run.task}"
    if run.mixed or not _same_way(run.execution, execution):
        return _OTHER_WAY
    try:
        record, ways = storage.run(run.run_id), storage.executions(run.run_id)
    except StoreError:
        return _UNREADABLE
    if record.config.definition_hash != task.definition_hash():
        return _OTHER_DEFINITION
    return "" if all(_same_way(way, execution) for way in ways) else _OTHER_WAY


def _same_way(one: Execution, other: Execution) -> bool:
    """Return whether arm and backend are the same; unknown is the same as unknown only."""
    same = (one.backend, one.arm) == (other.backend, other.arm)
    return same and not mixture(one, other)


def _usable(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of a run with an outcome, by number."""
    return [trial for trial in trials if trial.outcome is not None]


def examples_behind(
    known: Dataset, storage: Storage, task: Task, trials: Mapping[str, int]
) -> Dataset:
    """Return a data set with the examples of earlier runs behind its own, each run a physics.

    Args:
        known: of the run, empty if it has none.
        storage: of the earlier runs.
        task: of all.
        trials: see :class:`EarlierRuns`.

    Raises:
        UsageError: one of these runs or trials is not there any more.
    """
    if not trials:
        return known
    parts, arms = [], list[ArmId]()
    for group, (run_id, count) in enumerate(sorted(trials.items())):
        record, executed = _stored(storage, run_id, count)
        parts.append(_examples(task, record, executed, group))
        arms.append(ArmId.of_way(record.execution))
    made = {"source": "earlier runs", "runs": dict(trials)}
    added = replace(join(task, parts), provenance=made, arms=distinct(arms))
    return together(known, added, task, mix=True) if len(known) else added


def _stored(storage: Storage, run_id: str, count: int) -> tuple[RunRecord, list[Trial]]:
    """Return an earlier run with its first usable trials.

    Raises:
        UsageError: it has fewer.
    """
    try:
        record, found = storage.run(run_id), _usable(storage.trials(run_id))
    except UnknownRun:
        record, found = None, []
    if record is None or len(found) < count:
        raise UsageError(
            f"it learns from {_counted(count, 'trial')} of run {run_id}, which the store holds no "
            "longer: it cannot go on as it began, start a new run"
        )
    return record, found[:count]


def _examples(task: Task, record: RunRecord, trials: Sequence[Trial], group: int) -> Dataset:
    """Return the trials of one run as examples; the label of each is the best of them.

    To the goal of the run, or to the only one of a task whose goals do not vary: in a set with one
    goal, a few others make the outcome model learn from these few how outcomes depend on it.
    """
    goal = np.array(record.config.goal, dtype=np.float64)
    outcomes = [trial.outcome for trial in trials if trial.outcome is not None]
    if not task.goal_varies and all(trial.trajectory for trial in trials):
        goal = task.default_goal
        outcomes = [outcome(task, goal, t.theta, t.trajectory) for t in trials if t.trajectory]
    n, lowest = len(outcomes), int(np.argmin([one.cost for one in outcomes]))
    best = outcomes[lowest]
    thetas, times = np.stack([one.theta for one in outcomes]), path_times(task)
    paths = sample_paths([trial.trajectory for trial in trials], times)
    return Dataset(
        task=task.name,
        theta=thetas,
        error=np.stack([one.error for one in outcomes]),
        dtheta=best.theta - thetas,
        goal=np.tile(goal, (n, 1)),
        cost=np.array([one.cost for one in outcomes], dtype=np.float64),
        label_cost=np.full(n, best.cost, dtype=np.float64),
        group=np.full(n, group, dtype=np.int64),
        path=paths,
        label_path=np.tile(paths[lowest], (n, 1, 1)),
        path_times=times,
    )


def learned_text(trials: Mapping[str, int]) -> str:
    """Return ``3 earlier runs of this store (14 trials)``; empty = a run learns from none."""
    if not trials:
        return ""
    count = _counted(sum(trials.values()), "trial")
    return f"{_counted(len(trials), 'earlier run')} of this store ({count})"


def _counted(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"
