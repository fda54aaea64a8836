"""Evaluation of a bag: perception again, proposals, their expected costs, a ranking."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from icpi_ros.bags.parameters import RecordedSetup, recorded_setup
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.trials import read_trials
from icpi_ros.evaluate.evaluated_runs import (
    EvaluatedImprover,
    EvaluatedRun,
    evaluate_runs,
    examples_of,
)
from icpi_ros.evaluate.outcomes import OutcomeEstimate, RankedImprover, rank
from icpi_ros.evaluate.recorded_runs import RecordedRun, group, settled
from icpi_ros.evaluate.reperception import recorded_seconds, see_runs
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.improvers import IMPROVERS
from icpi_ros.learn.dataset.dataset import check_arm
from icpi_ros.learn.dataset.mixing import ArmId, refuse_ways
from icpi_ros.robots import argument_of


@dataclass(frozen=True)
class Evaluation:
    """Result of the evaluation of a bag.

    Attributes:
        source: what positions came from; None = perception was not done again.
        runs: evaluated ones.
        ranking: over all runs.
        skipped: one line for everything that was left out.
        recorded: length of the recording, first window to last [s].
        seconds: wall time by stage [s].
        processor: time of the processors in all, without worker processes [s].
    """

    source: str | None
    runs: tuple[EvaluatedRun, ...]
    ranking: tuple[RankedImprover, ...]
    skipped: tuple[str, ...]
    recorded: float
    seconds: Mapping[str, float]
    processor: float

    @property
    def factor(self) -> float:
        """Speed of the evaluation in lengths of the recording; NaN = no window was recorded."""
        total = self.seconds["total"]
        return self.recorded / total if self.recorded > 0.0 and total > 0.0 else float("nan")


def evaluate(bag: Bag, request: EvaluationRequest) -> Evaluation:
    """Return the evaluation of a bag.

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
    if setup.options and not request.options:
        bag.note(f"proposals were made with the options {setup.options}: give them to compare")
    if request.max_step is not None:
        setup = replace(setup, max_step=request.max_step)
    for line in _mixed(grouped.runs, setup, request):
        bag.note(f"mixed on purpose: {line}")
    if request.arm is not None:
        setup = replace(setup, arm=argument_of(request.arm))
    runs = [settled(run, request.seed, setup) for run in grouped.runs]
    clock.lap("read")
    source, seen = see_runs(bag, runs, trials, request, setup.source)
    clock.lap("perceive")
    found = evaluate_runs(runs, seen, request)
    clock.lap("propose")
    skipped = (*bag.skipped, *grouped.skipped, *_failures(found))
    return Evaluation(
        source,
        tuple(found),
        _overall(found),
        skipped,
        recorded_seconds(trials),
        clock.laps(),
        clock.processor,
    )


def _mixed(
    runs: Sequence[RecordedRun], setup: RecordedSetup, request: EvaluationRequest
) -> list[str]:
    """Return what of another arm than the recorded one is used on purpose.

    Raises:
        DatasetError: examples, or the arm that was asked for, are another, and that is not meant.
    """
    found: dict[str, None] = {}
    for run in runs:
        recorded = ArmId.of_way(setup.way(run.task))
        if request.arm is not None and recorded.differs(asked := ArmId.of(request.arm)):
            what, line = f"run {run.run_id}", f"recorded with {recorded}, asked with {asked}"
            found[refuse_ways(line, what, "leave out --arm", request.mix)] = None
        examples = examples_of(run, request.dataset)
        if examples is not None:
            others = check_arm(examples, recorded, request.mix or setup.mix)
            found |= {f"examples of {others}, trials of {recorded}": None} if others else {}
    return list(found)


class _Clock:
    """Wall time of the stages [s]."""

    def __init__(self) -> None:
        self._start = self._last = time.perf_counter()
        self._processor = time.process_time()
        self._laps: dict[str, float] = {}

    @property
    def processor(self) -> float:
        return time.process_time() - self._processor

    def lap(self, name: str) -> None:
        now = time.perf_counter()
        self._laps[name], self._last = now - self._last, now

    def laps(self) -> dict[str, float]:
        return {**self._laps, "total": time.perf_counter() - self._start}


def _overall(runs: Sequence[EvaluatedRun]) -> tuple[RankedImprover, ...]:
    """Rank over all runs the improvers that answered to each of them."""
    pooled: dict[str, list[OutcomeEstimate]] = {}
    for name in dict.fromkeys(name for run in runs for name in run.answers):
        answers = [run.answers.get(name, EvaluatedImprover(failed="not asked")) for run in runs]
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
