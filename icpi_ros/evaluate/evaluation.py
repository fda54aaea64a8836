"""Evaluation of a bag: perception again, proposals, their expected costs, a ranking; as JSON.

The keys are in docs/replay.md.  Lengths in metres, times in seconds.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from icpi_ros import __version__
from icpi_ros.bags.parameters import RecordedSetup, recorded_setup
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.trials import RecordedTrial, read_trials
from icpi_ros.core.redact import Json, jsonable
from icpi_ros.evaluate.evaluated_runs import (
    EvaluatedImprover,
    EvaluatedRun,
    evaluate_runs,
    examples_of,
)
from icpi_ros.evaluate.outcomes import LEVEL, OutcomeEstimate, RankedImprover, rank
from icpi_ros.evaluate.proposals import OfflineProposal
from icpi_ros.evaluate.recorded_runs import RecordedRun, group, settled
from icpi_ros.evaluate.reperception import recorded_seconds, see_runs
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.improvers import IMPROVERS
from icpi_ros.learn.dataset.dataset import check_arm
from icpi_ros.learn.dataset.mixing import ArmId, refuse_ways
from icpi_ros.robots import argument_of
from icpi_ros.runs.trial_tables import trial_json

FORMAT = "icpi replay 1"
TRIAL_KEYS = ("trial", "status", "theta", "error", "cost", "provenance")
PROPOSAL_KEYS = ("theta", "provenance", "fallback_reason", "predicted_cost", "predicted_std")


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
        """Recorded time over the time of the evaluation; NaN = no window was recorded."""
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
    source, seen = see_runs(bag, runs, trials, request, setup)
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


def as_json(bag: Bag, evaluation: Evaluation) -> Json:
    """Return an evaluation in the form that ``icpi replay --json`` writes; no NaN."""
    return jsonable(
        {
            "format": FORMAT,
            "version": __version__,
            "bag": str(bag.path),
            "topics": bag.topics,
            "source": evaluation.source,
            "recorded_seconds": evaluation.recorded,
            "seconds": dict(evaluation.seconds),
            "processor_seconds": evaluation.processor,
            "factor": evaluation.factor,
            "peak_memory_mb": peak_memory(),
            "interval": LEVEL,
            "skipped": list(evaluation.skipped),
            "runs": [_run(run) for run in evaluation.runs],
            "ranking": [asdict(place) for place in evaluation.ranking],
        }
    )


def peak_memory() -> float:
    """Return the largest resident memory of this process so far [MB]."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def _run(one: EvaluatedRun) -> dict[str, Any]:
    run = one.run
    return {
        "run_id": run.run_id,
        "task": run.task.name,
        "improver": run.improver,
        "goal": run.goal,
        "seed": run.settings.seed,
        "seed_from": run.settings.seed_from,
        "trials": [_trial(one, trial) for trial in run.trials],
        "hindsight": [_instance(one, n) for n in range(len(one.instances))],
        "ranking": [asdict(place) for place in one.ranking],
    }


def _trial(one: EvaluatedRun, recorded: RecordedTrial) -> dict[str, Any]:
    assert recorded.trial is not None  # of a run
    known = trial_json(recorded.trial)
    return {
        **{name: known[name] for name in TRIAL_KEYS},
        "trial_id": recorded.trial_id,
        "perception": asdict(one.differences[recorded.number]),
        "proposals": {
            name: found
            for name, answer in one.answers.items()
            if (found := _proposal(answer, recorded.number)) is not None
        },
    }


def _proposal(answer: EvaluatedImprover, number: int) -> dict[str, Any] | None:
    for n, proposed in enumerate(answer.proposed):
        if proposed.number == number:
            estimate = answer.estimates[n] if answer.estimates else None
            return _proposed(proposed) | {"outcome": estimate and outcome_json(estimate)}
    return None


def _proposed(proposed: OfflineProposal) -> dict[str, Any]:
    known = trial_json(proposed.trial)
    return {name: known[name] for name in PROPOSAL_KEYS} | {
        "seconds": known["proposal_seconds"],
        "same_as_recorded": proposed.same,
        "distance_from_recorded": proposed.distance,
    }


def outcome_json(estimate: OutcomeEstimate) -> dict[str, Any]:
    """Return the expected cost of a theta; ``kind`` is ``measured`` or ``estimated``."""
    return {
        "kind": estimate.kind,
        "basis": estimate.basis,
        "cost": estimate.cost,
        "low": estimate.low,
        "high": estimate.high,
        "nearest": {
            "trial": estimate.nearest.trial,
            "distance": estimate.nearest.distance,
            "cost": estimate.nearest.cost,
            "cost_kind": "measured",
            "low": estimate.nearest.low,
            "high": estimate.nearest.high,
            "bound_kind": "estimated",
        },
    }


def _instance(one: EvaluatedRun, n: int) -> dict[str, Any]:
    instance = one.instances[n]
    return {
        "goal": instance.goal,
        "shown": [trial.number for trial in instance.history],
        "best_shown_cost": min(trial.cost for trial in instance.history),
        "solved_by": instance.solution.number,
        "solution": instance.solution.theta,
        "kind": "measured",
        "proposals": {
            name: {"theta": answer.hindsight[n], "outcome": outcome_json(answer.solved[n])}
            for name, answer in one.answers.items()
            if n < len(answer.solved)
        },
    }
