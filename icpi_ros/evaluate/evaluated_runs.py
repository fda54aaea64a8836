"""Improvers evaluated on recorded runs: their proposals, and the expected costs of these."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from icpi_ros.core.errors import BudgetSpent, CompletionFailed, DatasetError, UsageError
from icpi_ros.core.types import Array
from icpi_ros.evaluate.outcomes import OutcomeEstimate, OutcomeEstimator, RankedImprover, rank
from icpi_ros.evaluate.proposals import (
    OfflineProposal,
    RecordedRunProposer,
    SolvedInstance,
    solved_instances,
)
from icpi_ros.evaluate.recorded_runs import RecordedRun
from icpi_ros.evaluate.reperception import PathDeviation, deviation_of, executed_of
from icpi_ros.evaluate.request import EvaluationRequest
from icpi_ros.improvers import IMPROVERS
from icpi_ros.learn.dataset.dataset import Dataset, shipped
from icpi_ros.perception.sources import SeenPath

OTHER_SEED = 0x5EED_0000_0000
"""First seed of solved instances: with the run's own, a random improver would draw the thetas that
were executed, and so the solutions."""


@dataclass(frozen=True)
class EvaluatedImprover:
    """Evaluation of one improver on one run.

    Attributes:
        proposed: for every recorded trial with a history.
        estimates: of these, in the same order.
        hindsight: thetas ``(d,)`` for the run's solved instances.
        solved: estimates of these, in the same order.
        failed: the reason why it does not propose; None = it does.
    """

    proposed: tuple[OfflineProposal, ...] = ()
    estimates: tuple[OutcomeEstimate, ...] = ()
    hindsight: tuple[Array, ...] = ()
    solved: tuple[OutcomeEstimate, ...] = ()
    failed: str | None = None


@dataclass(frozen=True)
class EvaluatedRun:
    """Evaluation of one recorded run.

    Attributes:
        run: as it was recorded.
        differences: perception now against the recording, by trial number.
        seen: perception now, by trial number.
        instances: solved ones.
        answers: by improver.
        ranking: by expected cost [m] over recorded trials and solved instances.
    """

    run: RecordedRun
    differences: Mapping[int, PathDeviation]
    seen: Mapping[int, SeenPath]
    instances: tuple[SolvedInstance, ...]
    answers: Mapping[str, EvaluatedImprover]
    ranking: tuple[RankedImprover, ...]


def evaluate_runs(
    runs: Sequence[RecordedRun], seen: Mapping[str, SeenPath], request: EvaluationRequest
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
    asked = dict(request.workers.run(asking, range(len(jobs))))
    answers: list[dict[str, EvaluatedImprover]] = [{} for _ in prepared]
    for job, (n, name) in enumerate(jobs):
        answers[n][name] = prepared[n].judged(asked[job])
    return [one.evaluated(found) for one, found in zip(prepared, answers, strict=True)]


@dataclass(frozen=True)
class _Prepared:
    """A run with what is needed to ask improvers, and to judge their proposals."""

    run: RecordedRun
    seen: Mapping[int, SeenPath]
    differences: Mapping[int, PathDeviation]
    instances: tuple[SolvedInstance, ...]
    outcomes: OutcomeEstimator | None

    @classmethod
    def of(
        cls, run: RecordedRun, seen: Mapping[str, SeenPath], request: EvaluationRequest
    ) -> _Prepared:
        by_number = {t.number: seen[t.trial_id] for t in run.trials if t.trial_id in seen}
        differences = {
            t.number: deviation_of(run.task, t, by_number.get(t.number)) for t in run.trials
        }
        executed = executed_of(run, by_number)
        if not executed:
            return cls(run, by_number, differences, (), None)
        compared = len(set(request.improvers)) > 1
        instances = solved_instances(run.task, executed, request.pairs) if compared else []
        outcomes = OutcomeEstimator(run.task, executed, examples_of(run, request.dataset))
        return cls(run, by_number, differences, tuple(instances), outcomes)

    def judged(self, answer: EvaluatedImprover) -> EvaluatedImprover:
        """Add the expected costs of the proposals."""
        if self.outcomes is None:
            return answer
        thetas = [proposed.theta for proposed in answer.proposed]
        solved = [
            self.outcomes.estimate(instance.goal, [theta])[0]
            for instance, theta in zip(self.instances, answer.hindsight, strict=False)
        ]
        estimates = self.outcomes.estimate(self.run.goal, thetas)
        return replace(answer, estimates=tuple(estimates), solved=tuple(solved))

    def evaluated(self, answers: Mapping[str, EvaluatedImprover]) -> EvaluatedRun:
        """Return the run with the evaluation of every improver."""
        ranking = rank({name: (*a.estimates, *a.solved) for name, a in answers.items()})
        return EvaluatedRun(
            self.run, self.differences, self.seen, self.instances, answers, tuple(ranking)
        )


def examples_of(run: RecordedRun, dataset: Dataset | None) -> Dataset | None:
    """Return the examples of the outcome model; None = there is no set of this task."""
    if dataset is not None:
        return dataset if dataset.task == run.task.name else None
    try:
        return shipped(run.task)
    except DatasetError:
        return None


@dataclass(frozen=True)
class _Asking:
    """Call of one improver for one run; travels to worker processes."""

    prepared: Sequence[_Prepared]
    jobs: Sequence[tuple[int, str]]
    dataset: Dataset | None
    options: Mapping[str, Any]

    def __call__(self, job: int) -> EvaluatedImprover:
        n, name = self.jobs[job]
        one = self.prepared[n]
        try:
            bench = RecordedRunProposer(one.run, self.dataset, self.options)
            proposed = bench.proposals(name)
            hindsight = [
                bench.solution(name, instance, OTHER_SEED + k)
                for k, instance in enumerate(one.instances)
            ]
        except (UsageError, BudgetSpent, CompletionFailed) as exc:
            return EvaluatedImprover(failed=str(exc))
        return EvaluatedImprover(tuple(proposed), hindsight=tuple(hindsight))
