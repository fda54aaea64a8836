"""A whole bag evaluated: perception again, proposals, what they would have cost, a ranking."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from icpi_ros.data.bags.reader import Bag
from icpi_ros.data.bags.trials import SECOND, RecordedTrial, read_trials
from icpi_ros.data.dataset import Dataset, shipped
from icpi_ros.data.workers import Workers
from icpi_ros.errors import BudgetSpent, DatasetError, IcpiError, UsageError
from icpi_ros.improvers import IMPROVERS
from icpi_ros.offline.compare import Difference, difference
from icpi_ros.offline.instances import PAIRS, Solved, solved_instances
from icpi_ros.offline.outcomes import Estimate, Executed, Outcomes
from icpi_ros.offline.parameters import recorded_setup
from icpi_ros.offline.perceive import JUMP, Seen, choose_source, perceive, require_source
from icpi_ros.offline.propose import Bench, Proposed
from icpi_ros.offline.ranking import Place, rank
from icpi_ros.offline.runs import RecordedRun, group, settled
from icpi_ros.perception.camera import Camera
from icpi_ros.types import Array


@dataclass(frozen=True)
class Request:
    """What to evaluate.

    Attributes:
        improvers: names; empty = the one that each run was recorded with.
        task: only runs of it; "" = all.
        run_id: only this run; "" = all.
        source: ``tracked_pose`` or ``camera``; "" = what the recording was made with.
        camera: calibrated; None = that of the task's scene with the bag's camera_info.
        dataset: examples; None = the shipped set of each task.
        seed: of the runs; None = the one that reproduces the first attempt, else 0.
        max_step: of the runs, see :class:`icpi_ros.motion.step_limit.StepLimit`; None = as in
            the recording.
        options: of the improvers.
        pairs: random solved instances per run, besides one per trial, where improvers are
            compared (at least two); see :mod:`icpi_ros.offline.instances`.
        workers: who asks the improvers.
    """

    improvers: tuple[str, ...] = ()
    task: str = ""
    run_id: str = ""
    source: str = ""
    camera: Camera | None = None
    dataset: Dataset | None = None
    seed: int | None = None
    max_step: float | None = None
    options: Mapping[str, Any] = field(default_factory=dict)
    pairs: int = PAIRS
    workers: Workers = field(default_factory=Workers)


@dataclass(frozen=True)
class Answer:
    """What one improver says to one run.

    Attributes:
        proposed: for every recorded trial with a history.
        estimates: of these, in the same order.
        hindsight: thetas ``(d,)`` for the run's solved instances.
        solved: estimates of these, in the same order.
        failed: why it does not answer; "" = it does.
    """

    proposed: tuple[Proposed, ...] = ()
    estimates: tuple[Estimate, ...] = ()
    hindsight: tuple[Array, ...] = ()
    solved: tuple[Estimate, ...] = ()
    failed: str = ""


@dataclass(frozen=True)
class EvaluatedRun:
    """One run.

    Attributes:
        run: as it was recorded.
        differences: perception now against the recording, by trial number.
        seen: perception now, by trial number.
        instances: solved ones.
        answers: by improver.
        ranking: by expected cost over recorded trials and solved instances.
    """

    run: RecordedRun
    differences: Mapping[int, Difference]
    seen: Mapping[int, Seen]
    instances: tuple[Solved, ...]
    answers: Mapping[str, Answer]
    ranking: tuple[Place, ...]


@dataclass(frozen=True)
class Evaluation:
    """What came of a bag.

    Attributes:
        source: what positions came from; None = perception was not done again.
        runs: evaluated ones.
        ranking: over all runs.
        skipped: one line for everything that was left out.
        recorded: length of the recording, first window to last [s].
        seconds: wall time by stage [s].
    """

    source: str | None
    runs: tuple[EvaluatedRun, ...]
    ranking: tuple[Place, ...]
    skipped: tuple[str, ...]
    recorded: float
    seconds: Mapping[str, float]

    @property
    def factor(self) -> float:
        """How many times faster than the recording; NaN = no window was recorded."""
        total = self.seconds["total"]
        return self.recorded / total if self.recorded > 0.0 and total > 0.0 else float("nan")


def evaluate(bag: Bag, request: Request) -> Evaluation:
    """Return everything that can be said about a bag.

    Raises:
        UsageError: an argument does not fit, or nothing in the bag can be evaluated.
    """
    for name in request.improvers:
        IMPROVERS.get(name)
    clock = _Clock()
    trials = read_trials(bag)
    grouped = group(trials, request.task, request.run_id)
    setup = recorded_setup(bag)
    if setup.dataset and request.dataset is None:
        bag.note(f"proposals were made with the examples of {setup.dataset}: give them to compare")
    step = setup.max_step if request.max_step is None else request.max_step
    runs = [settled(run, request.seed, step) for run in grouped.runs]
    clock.lap("read")
    source, seen = _perceive(bag, runs, trials, request)
    clock.lap("perceive")
    found = evaluate_runs(runs, seen, request, clock)
    clock.lap("estimate")
    skipped = (*bag.skipped, *grouped.skipped, *_failures(found))
    return Evaluation(
        source, tuple(found), _overall(found), skipped, recorded_seconds(trials), clock.laps()
    )


def evaluate_runs(
    runs: Sequence[RecordedRun],
    seen: Mapping[str, Seen],
    request: Request,
    clock: _Clock | None = None,
) -> list[EvaluatedRun]:
    """Evaluate runs whose trials were seen already; ``seen`` is by trial id."""
    prepared = [_Prepared.of(run, seen, request) for run in runs]
    jobs = [
        (n, name)
        for n, one in enumerate(prepared)
        for name in dict.fromkeys(request.improvers or (one.run.improver,))
        if name in IMPROVERS
    ]
    asking = _Asking(prepared, jobs, request.dataset, dict(request.options))
    said = dict(request.workers.run(asking, range(len(jobs))))
    if clock:
        clock.lap("propose")
    answers: list[dict[str, Answer]] = [{} for _ in prepared]
    for job, (n, name) in enumerate(jobs):
        answers[n][name] = prepared[n].judged(said[job])
    return [one.evaluated(found) for one, found in zip(prepared, answers, strict=True)]


def recorded_seconds(trials: Sequence[RecordedTrial]) -> float:
    """Return the time from the first window to the last [s]; restarts of the clock add up."""
    total, begin, end = 0, 0, 0
    for trial in (t for t in trials if t.stop):
        if not end or trial.start < end - JUMP:
            total, begin, end = total + end - begin, trial.start, trial.stop
        end = max(end, trial.stop)
    return (total + end - begin) / SECOND


class _Clock:
    """Wall time of the stages [s]."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._laps: dict[str, float] = {}

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self._laps[name], self._last = now - self._last, now

    def laps(self) -> dict[str, float]:
        return {**self._laps, "total": time.perf_counter() - self._start}


def _perceive(
    bag: Bag, runs: Sequence[RecordedRun], trials: Sequence[RecordedTrial], request: Request
) -> tuple[str | None, dict[str, Seen]]:
    """Redo perception for all runs, one pass per task."""
    if request.source:
        source: str | None = require_source(bag, request.source)
    else:
        source = choose_source(bag, trials)
    if source is None:
        bag.note("perception is not done again: the bag has neither poses nor images")
        return None, {}
    wanted = {run.run_id: run.task for run in runs}
    seen: dict[str, Seen] = {}
    for task in {task.name: task for task in wanted.values()}.values():
        names = {run_id for run_id, its in wanted.items() if its.name == task.name}
        mine = [trial for trial in trials if trial.run_id in names]
        try:
            seen |= perceive(bag, source, task, mine, request.camera)
        except UsageError as exc:
            bag.note(f"perception of task {task.name} is not done again: {exc}")
    return source, seen


@dataclass(frozen=True)
class _Prepared:
    """A run with what is needed to ask improvers, and to judge what they say."""

    run: RecordedRun
    seen: Mapping[int, Seen]
    differences: Mapping[int, Difference]
    instances: tuple[Solved, ...]
    outcomes: Outcomes | None

    @classmethod
    def of(cls, run: RecordedRun, seen: Mapping[str, Seen], request: Request) -> _Prepared:
        by_number = {t.number: seen[t.trial_id] for t in run.trials if t.trial_id in seen}
        differences = {
            t.number: difference(run.task, t, by_number.get(t.number)) for t in run.trials
        }
        executed = executed_of(run, by_number)
        if executed is None:
            return cls(run, by_number, differences, (), None)
        compared = len(set(request.improvers)) > 1
        instances = solved_instances(run.task, executed, request.pairs) if compared else []
        outcomes = Outcomes(run.task, executed, _examples(run, request.dataset))
        return cls(run, by_number, differences, tuple(instances), outcomes)

    def judged(self, answer: Answer) -> Answer:
        """Add what the proposals would have cost."""
        if self.outcomes is None:
            return answer
        thetas = [proposed.theta for proposed in answer.proposed]
        solved = [
            self.outcomes.estimate(instance.goal, [theta])[0]
            for instance, theta in zip(self.instances, answer.hindsight, strict=False)
        ]
        estimates = self.outcomes.estimate(self.run.goal, thetas)
        return replace(answer, estimates=tuple(estimates), solved=tuple(solved))

    def evaluated(self, answers: Mapping[str, Answer]) -> EvaluatedRun:
        """Return the whole."""
        ranking = rank({name: (*a.estimates, *a.solved) for name, a in answers.items()})
        return EvaluatedRun(
            self.run, self.differences, self.seen, self.instances, answers, tuple(ranking)
        )


def executed_of(run: RecordedRun, seen: Mapping[int, Seen]) -> Executed | None:
    """Return what the run executed and saw: the recorded path, else the one of now; None = nothing.

    Only paths that show what the task needs count.
    """
    numbers, thetas, paths = [], [], []
    for trial in run.done:
        now = seen.get(trial.number)
        path = trial.path.trajectory if trial.path else now.path if now else None
        if path is None or trial.theta is None:
            continue
        try:
            shown = np.isfinite(run.task.error(path, run.goal)).all()
        except IcpiError:
            continue
        if shown:
            numbers.append(trial.number)
            thetas.append(trial.theta)
            paths.append(path)
    return Executed(tuple(numbers), np.array(thetas), tuple(paths)) if paths else None


def _examples(run: RecordedRun, dataset: Dataset | None) -> Dataset | None:
    """Return what the outcome model learns from; None = there is no set of this task."""
    if dataset is not None:
        return dataset if dataset.task == run.task.name else None
    try:
        return shipped(run.task)
    except DatasetError:
        return None


@dataclass(frozen=True)
class _Asking:
    """Asks one improver about one run; travels to worker processes."""

    prepared: Sequence[_Prepared]
    jobs: Sequence[tuple[int, str]]
    dataset: Dataset | None
    options: Mapping[str, Any]

    def __call__(self, job: int) -> Answer:
        n, name = self.jobs[job]
        one = self.prepared[n]
        bench = Bench(one.run, self.dataset, self.options)
        try:
            proposed = bench.proposals(name)
            hindsight = [
                bench.ask(bench.proposer(name, i.goal), i.history, i.number)[0]
                for i in one.instances
            ]
        except (UsageError, BudgetSpent) as exc:
            return Answer(failed=str(exc))
        return Answer(tuple(proposed), hindsight=tuple(hindsight))


def _overall(runs: Sequence[EvaluatedRun]) -> tuple[Place, ...]:
    """Rank over all runs the improvers that answered to each of them."""
    pooled: dict[str, list[Estimate]] = {}
    for name in dict.fromkeys(name for run in runs for name in run.answers):
        answers = [run.answers.get(name, Answer(failed="not asked")) for run in runs]
        if not any(answer.failed for answer in answers):
            pooled[name] = [e for a in answers for e in (*a.estimates, *a.solved)]
    return tuple(rank(pooled))


def _failures(runs: Sequence[EvaluatedRun]) -> list[str]:
    lines = [
        f"run {run.run.run_id}: {name} does not answer: {answer.failed}"
        for run in runs
        for name, answer in run.answers.items()
        if answer.failed
    ]
    lines += [
        f"run {run.run.run_id}: no improver is asked: it was recorded with "
        f"{run.run.improver or 'one that is not known'}: name some with --improver"
        for run in runs
        if not run.answers
    ]
    return lines
