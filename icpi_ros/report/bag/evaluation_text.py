"""Evaluated bag as text: perception, proposals with their predicted costs, the ranking."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from icpi_ros.core.units import millimetres, multiple
from icpi_ros.evaluate.evaluated_runs import EvaluatedImprover, EvaluatedRun
from icpi_ros.evaluate.evaluation import Evaluation
from icpi_ros.evaluate.outcomes import LEVEL, MEASURED, OutcomeEstimate, RankedImprover
from icpi_ros.evaluate.proposals import OfflineProposal

MAX_RUNS = 20
"""Runs that are shown one by one."""


def replay_lines(evaluation: Evaluation) -> Iterator[str]:
    """Yield the lines that ``icpi replay`` prints."""
    for one in evaluation.runs[:MAX_RUNS]:
        yield from _run(one, evaluation.source)
        yield ""
    if len(evaluation.runs) > MAX_RUNS:
        yield f"... and {len(evaluation.runs) - MAX_RUNS} more runs: see --json"
    yield from _ranking(evaluation)
    for line in evaluation.skipped:
        yield f"! {line}"
    yield _speed(evaluation)


def _run(one: EvaluatedRun, source: str | None) -> Iterator[str]:
    run = one.run
    trials = counted(len(run.trials), "trial")
    yield (
        f"run {run.run_id}: {run.task.name}, recorded with {run.improver or 'unknown'}, "
        f"{trials}, seed {run.settings.seed} ({_seed(run.settings.seed_from)})"
    )
    yield _perception(one, source)
    for name, answer in one.answers.items():
        if answer.failed:
            yield f"  {name}: no answer: {answer.failed}"
        else:
            yield from _answer(name, answer)


def _seed(source: str) -> str:
    found = "found: it gives the first attempt"
    return {"given": "as given", "found": found}.get(source, "assumed: proposals may differ")


def _perception(one: EvaluatedRun, source: str | None) -> str:
    known = [d for d in one.differences.values() if d.samples]
    by = f" (source {source})" if source else ""
    if not known:
        return f"  perception now{by}: nothing to compare with the recording"
    most, end = max(d.most for d in known), max(d.end for d in known)
    least = min(d.coverage for d in known)
    return (
        f"  perception now{by} against then, {len(known)} of {len(one.differences)} trials: "
        f"at most {_fine(most)} apart, {_fine(end)} at the end; coverage at least {least:.0%}"
    )


def _fine(metres: float) -> str:
    return f"{1e3 * metres:.3f} mm"


def _answer(name: str, answer: EvaluatedImprover) -> Iterator[str]:
    yield f"  {name}: {reproduced(answer.proposed)}"
    for n, proposed in enumerate(answer.proposed):
        cost = outcome_text(answer.estimates[n]) if n < len(answer.estimates) else "not known"
        yield f"    trial {proposed.number}: {cost}"


def counted(count: int, what: str) -> str:
    """Return ``1 run`` or ``3 runs``."""
    return f"{count} {what}" if count == 1 else f"{count} {what}s"


def reproduced(proposed: Sequence[OfflineProposal]) -> str:
    """Return the number of proposals that equal the executed ones, in words."""
    compared = [p for p in proposed if p.same is not None]
    if not proposed:
        return "nothing to propose: no trial has a history"
    if not compared:
        return f"{counted(len(proposed), 'proposal')}; the recording had another improver"
    same = sum(bool(p.same) for p in compared)
    return f"{same} of {counted(len(compared), 'proposal')} exactly as recorded"


def outcome_text(estimate: OutcomeEstimate) -> str:
    """Return the cost of a theta in words, and its source."""
    if estimate.kind == MEASURED:
        return f"measured {millimetres(estimate.cost)} (trial {estimate.nearest.trial})"
    span = f"{millimetres(estimate.low)} to {millimetres(estimate.high)}"
    near = estimate.nearest
    return (
        f"estimated {millimetres(estimate.cost)}, {LEVEL:.0%} {span} ({estimate.basis}); nearest: "
        f"trial {near.trial}, {near.distance:.3f} away, measured {millimetres(near.cost)}"
    )


def _ranking(evaluation: Evaluation) -> Iterator[str]:
    if len(evaluation.ranking) < 2:
        return
    yield (
        "ranking by expected cost of the next trial (estimated; recorded trials and solved "
        "instances):"
    )
    for n, place in enumerate(evaluation.ranking, start=1):
        yield f"  {n}. {_place(place)}"


def _place(place: RankedImprover) -> str:
    low, high = millimetres(place.low), millimetres(place.high)
    return (
        f"{place.improver:<20} {millimetres(place.cost):>8}  {LEVEL:.0%} {low} to {high}  "
        f"{place.measured} of {place.instances} measured, best with probability {place.best:.2f}"
    )


def _speed(evaluation: Evaluation) -> str:
    total = evaluation.seconds["total"]
    speed = f", {multiple(evaluation.factor)} real time" if math.isfinite(evaluation.factor) else ""
    stages = ", ".join(f"{k} {v:.2f} s" for k, v in evaluation.seconds.items() if k != "total")
    return f"{evaluation.recorded:.1f} s recorded, evaluated in {total:.2f} s{speed} ({stages})"
