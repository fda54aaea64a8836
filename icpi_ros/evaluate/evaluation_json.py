"""An evaluation as JSON; see docs/replay.md for the keys.  Lengths in metres, times in seconds."""

from __future__ import annotations

import resource
from dataclasses import asdict
from typing import Any

from icpi_ros import __version__
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.trials import RecordedTrial
from icpi_ros.core.redact import Json, jsonable
from icpi_ros.evaluate.evaluated_runs import EvaluatedImprover, EvaluatedRun
from icpi_ros.evaluate.evaluation import Evaluation
from icpi_ros.evaluate.outcomes import LEVEL, OutcomeEstimate
from icpi_ros.evaluate.proposals import OfflineProposal
from icpi_ros.runs.trial_tables import trial_json

FORMAT = "icpi replay 1"
TRIAL_KEYS = ("trial", "status", "theta", "error", "cost", "provenance")
PROPOSAL_KEYS = ("theta", "provenance", "fallback_reason", "predicted_cost", "predicted_std")


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
