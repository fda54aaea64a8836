"""One instance of a benchmark: all improvers, trial by trial, under the same circumstances.

All take their trial n before any takes trial n + 1, so that the thetas of one trial are simulated
together.  What one improver does changes nothing for the others.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np

from icpi_benchmarks.contest.conditions import Condition
from icpi_benchmarks.contest.deadline import Deadline, TookTooLong, build_limit, still_busy
from icpi_benchmarks.contest.entrants import Entrant
from icpi_benchmarks.instances import Instance, proposal_rng
from icpi_benchmarks.results import is_own_step
from icpi_benchmarks.simulator import Simulate
from icpi_ros.core.errors import CompletionFailed, Kind, ObservationMissing, Refusal
from icpi_ros.core.redact import redact_text
from icpi_ros.core.types import Array, ObjectTrajectory, Outcome, Proposal, Trial
from icpi_ros.improvers.base import Improver
from icpi_ros.learn.dataset.dataset import Dataset, freeze
from icpi_ros.robots.base import Arm
from icpi_ros.runs.proposals import FIRST
from icpi_ros.runs.run import Run
from icpi_ros.runs.trial_tables import trial_json
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.feasibility import FeasibilityCheck
from icpi_ros.tasks.observation import OBSERVE_STREAM, Observation, observe

Row = dict[str, Any]
_TRIAL_KEYS = (
    *("provenance", "fallback_reason", "predicted_cost", "predicted_std", "spent"),
    *("projected", "theta"),
)
_ROW_KEYS = ("trial", "cost", "best_cost", "seconds", *_TRIAL_KEYS[:2], "failure", *_TRIAL_KEYS[2:])
OWN_KEYS = ("own_step", "own_improved")
_NOTHING: Row = dict.fromkeys(_ROW_KEYS) | {"fallback_reason": "", "projected": False}
"""Row of an improver that gave no theta, in the order of all rows."""


@dataclass(frozen=True)
class ContestRules:
    """Rules of every instance of a contest.

    Attributes:
        seed: of instances, proposals and noise.
        trials: per improver, the common first attempt included.
        time_limit: of one proposal [s]; building has its own, more generous one.
    """

    seed: int
    trials: int
    time_limit: float


@dataclass(frozen=True)
class _Result:
    """Result of an executed trial: the path that the improver sees, and the true cost [m]."""

    path: ObjectTrajectory
    cost: float


@dataclass(frozen=True)
class _Attempt:
    """Attempt at a proposal: a trial under way, or none because of ``failure``.

    What a model cost that gave no answer is ``spent``, what it replied ``asked``.
    """

    trial: Trial | None = None
    seconds: float = 0.0
    failure: str | None = None
    spent: dict[str, Any] | None = None
    asked: dict[str, int] | None = None


class SharedRollouts:
    """Rollouts and observations under the physics of one instance, each theta once.

    Where the physics drift, each theta once in every trial.
    """

    def __init__(
        self,
        task: Task,
        instance: Instance,
        noise: float,
        seed: int,
        simulate: Simulate,
        later: Sequence[Simulate] = (),
    ) -> None:
        """Remember the circumstances.

        Args:
            task: what is executed.
            instance: the problem.
            noise: standard deviation of the sensor [m].
            seed: of the noise.
            simulate: simulator under the physics of the instance.
            later: simulators of the trials after the first, where the physics drift; () = they do
                not.
        """
        self._task, self._instance = task, instance
        self._simulators = (simulate, *later)
        self._observation, self._seed = Observation(noise), seed
        self._paths: dict[tuple[int, bytes], ObjectTrajectory | Refusal] = {}

    @property
    def drifts(self) -> bool:
        """True if the physics change from trial to trial."""
        return len(self._simulators) > 1

    @property
    def simulated(self) -> int:
        """Number of rollouts so far."""
        return len(self._paths)

    def execute(self, thetas: Sequence[Array], trial: int) -> list[_Result | Refusal]:
        """Return a result for each ``(d,)`` theta, or why there is none."""
        keys = [self._key(theta, trial) for theta in thetas]
        new = {
            key: theta for key, theta in zip(keys, thetas, strict=True) if key not in self._paths
        }
        if new:
            simulate = self._simulators[trial if self.drifts else 0]
            paths = simulate(np.array(list(new.values())))
            for path in paths:
                if not isinstance(path, Refusal):
                    path.times.setflags(write=False)  # improvers share it
                    path.positions.setflags(write=False)
            self._paths.update(zip(new, paths, strict=True))
        return [self._result(theta, trial) for theta in thetas]

    def _key(self, theta: Array, trial: int) -> tuple[int, bytes]:
        return trial if self.drifts else 0, theta.tobytes()

    def _result(self, theta: Array, trial: int) -> _Result | Refusal:
        path = self._paths[self._key(theta, trial)]
        if isinstance(path, Refusal):
            return path
        task, goal = self._task, self._instance.goal
        rng = np.random.default_rng([self._seed, self._instance.number, trial, OBSERVE_STREAM])
        try:
            cost = task.cost(task.error(path, goal))
            seen_path = observe(path, self._observation, rng)
            task.error(seen_path, goal)  # a noisy path may not show it
        except ObservationMissing as exc:
            return exc.refusal
        if not np.isfinite(cost):
            return Refusal(f"the cost is {cost}", Kind.NOT_FINITE, "cost")
        return _Result(seen_path, cost)


class _Player:
    """One improver in one instance: the source of proposals of its run."""

    def __init__(
        self,
        entrant: Entrant,
        build: Callable[[], Improver],
        rules: ContestRules,
        run: Callable[..., Run],
        out: str = "",
    ) -> None:
        self.label, self.stream = entrant.label, entrant.stream
        self.rows: list[Row] = []
        self._build, self._deadline = build, Deadline(rules.time_limit, entrant.label)
        self._improver: Improver | None = None
        self._run = run(improver=entrant.label, proposals=self)
        self._proposal: Proposal | None = None
        self._best_cost: float | None = None
        self._out = out

    def propose(
        self, history: Sequence[Outcome], number: int, why_not: FeasibilityCheck
    ) -> Proposal:
        """Return the proposal at hand: the run is not asked before there is one."""
        assert self._proposal is not None
        return self._proposal

    def begin(self, proposal: Proposal, seconds: float = 0.0) -> _Attempt:
        """Begin the next trial with a proposal, as far as it is inside the space."""
        self._proposal = proposal
        # What was predicted of a theta that was moved back is judged, too.
        return _Attempt(replace(self._run.ask(), proposal=proposal), seconds)

    def attempt(self, trial: int, rng: np.random.Generator) -> _Attempt:
        """Ask for the next theta; whatever the improver does, there is an answer."""
        if not self._run.history:
            return _Attempt(failure="not asked: the first attempt failed")
        if self._out:
            return _Attempt(failure=_one_line(f"not asked again: {self._out}"))
        begin, spent, asked = time.perf_counter(), None, None
        try:
            return self.begin(*self._answer(rng))
        except TookTooLong as exc:
            self._out = f"trial {trial} {exc}"
            reason = str(exc)
        except (Exception, SystemExit) as exc:  # whatever an improver does, the others go on
            reason = f"{type(exc).__name__}: {exc}"
            if isinstance(exc, CompletionFailed):
                spent, asked = exc.details.get("spent"), replies_of(exc.details)
        seconds = time.perf_counter() - begin
        failure = _one_line(reason)
        return _Attempt(seconds=seconds, failure=failure, spent=spent, asked=asked)

    def _answer(self, rng: np.random.Generator) -> tuple[Proposal, float]:
        """Return the improver's proposal and the wall time that it took [s]."""
        if self._improver is None:
            self._improver = self._deadline.call(self._build, build_limit(self._deadline.limit))
        ask = partial(_timed, self._improver, tuple(self._run.history), rng)
        proposal, seconds = self._deadline.call(ask)
        return _checked(proposal), seconds

    def record(self, number: int, attempt: _Attempt, result: _Result | Refusal | None) -> None:
        """Add the row of an attempt; ``result`` is None if there was nothing to execute."""
        failure, refusal = attempt.failure, None
        best_before = self._best_cost
        if isinstance(result, _Result):
            before = self._run.best
            told = self._run.tell(result.path)
            if before is None or told.cost < before.cost:
                self._best_cost = result.cost
        elif result is not None:
            failure = _one_line(result.text)
            refusal = _fields(result)
            self._run.skip(failure)
        row = {
            **(_NOTHING | {"provenance": self.label, "spent": attempt.spent}),
            "asked": attempt.asked,
            **({} if attempt.trial is None else _told(attempt.trial)),
            "trial": number,
            "cost": result.cost if isinstance(result, _Result) else None,
            "best_cost": self._best_cost,
            "seconds": round(attempt.seconds, 7),
            "failure": failure,
            "refusal": refusal,
        }
        own, cost = is_own_step(row), row["cost"]
        better = own and cost is not None and best_before is not None and cost < best_before
        self.rows.append(row | dict(zip(OWN_KEYS, (own, better), strict=True)))

    @property
    def best_theta(self) -> Array | None:
        """Theta ``(d,)`` of the lowest cost when it was tried; None = nothing was executed."""
        best = self._run.best
        return None if best is None else best.theta

    def repeat_best(self, result: _Result | Refusal) -> None:
        """Put what the best theta costs now into the last row; where it failed, nothing new."""
        if isinstance(result, _Result):
            self.rows[-1]["best_cost"] = self._best_cost = result.cost

    def close(self) -> None:
        self._deadline.close()


def _told(trial: Trial) -> Row:
    """Return the part of a row about a trial that was begun, without its outcome."""
    known = trial_json(trial)
    found = {name: known[name] for name in _TRIAL_KEYS}
    return found | {"asked": replies_of(trial.proposal.details)}


def replies_of(details: Mapping[str, Any]) -> dict[str, int] | None:
    """Return what came of a proposal's questions to a model; None if it asked none.

    ``wanted`` replies, ``read`` of them came and held numbers, ``missing`` questions were not on
    cassette; those are not among the wanted.
    """
    exchanges = details.get("exchanges")
    if not exchanges:
        return None
    return {
        "wanted": sum(one.get("samples", 0) for one in exchanges if not one.get("missing")),
        "read": sum(one.get("read", 0) for one in exchanges),
        "missing": sum(one.get("missing", False) for one in exchanges),
    }


def _fields(refusal: Refusal) -> dict[str, str] | None:
    """Return the fields that failures are counted by; None = only by their text."""
    if refusal.kind is Kind.OTHER or not refusal.quantity:
        return None
    return {"kind": refusal.kind.value, "quantity": refusal.quantity, "joint": refusal.joint}


def _checked(proposal: Proposal) -> Proposal:
    """Return a proposal whose texts and numbers can be written; raises if they are none."""
    told = (proposal.provenance, proposal.fallback_reason)
    if not all(isinstance(text, str) for text in told):
        raise TypeError(f"provenance and fallback reason must be texts, not {told!r}")
    return replace(
        proposal,
        provenance=_one_line(proposal.provenance),
        fallback_reason=_one_line(proposal.fallback_reason),
        predicted_cost=float(proposal.predicted_cost),
        predicted_std=float(proposal.predicted_std),
    )


def play(
    task: Task,
    arm: Arm,
    condition: Condition,
    instance: Instance,
    entrants: Sequence[Entrant],
    dataset: Dataset,
    rules: ContestRules,
    bench: SharedRollouts,
) -> list[Row]:
    """Return the rows of one instance: by improver, then by trial.

    A proposal that is not a vector of the space, raises, or takes too long, and a theta whose
    rollout fails, is a row without cost; that trial is not in the improver's history.  Where the
    physics drift, ``best_cost`` is what the best theta so far costs now: the theta that cost least
    when it was tried, carried out once more under the physics of the trial.  An improver
    that took too long is not asked again, in later instances neither while that call goes on.

    Args:
        task: what to execute.
        arm: that executes it.
        condition: gives its name and options.
        instance: the problem.
        entrants: who takes part.
        dataset: examples for all of them.
        rules: seed, trials, time limit.
        bench: executes the thetas.
    """
    freeze(dataset)
    busy = still_busy(rules.time_limit)
    run = partial(Run, task, goal=instance.goal, trials=rules.trials, seed=rules.seed)

    def player(entrant: Entrant) -> _Player:
        chosen = entrant.under(condition.options)
        make = partial(chosen.build, task, arm, instance.goal, instance.physics, dataset)
        out = "its call in an earlier instance still goes on" if entrant.label in busy else ""
        return _Player(entrant, make, rules, run, out)

    players = [player(entrant) for entrant in entrants]
    try:
        _play_first(players, instance, bench)
        for trial in range(1, rules.trials):
            _play_trial(players, instance, rules, bench, trial)
    finally:
        for each in players:
            each.close()
    where = {"condition": condition.name, "task": task.name, "instance": instance.number}
    return [{**where, "improver": p.label, **row} for p in players for row in p.rows]


def _play_first(players: list[_Player], instance: Instance, bench: SharedRollouts) -> None:
    (result,) = bench.execute([instance.theta], 0)
    for player in players:
        player.record(0, player.begin(Proposal(instance.theta, FIRST)), result)


def _play_trial(
    players: list[_Player],
    instance: Instance,
    rules: ContestRules,
    bench: SharedRollouts,
    trial: int,
) -> None:
    attempts = [
        player.attempt(trial, proposal_rng(rules.seed, instance.number, trial, player.stream))
        for player in players
    ]
    thetas = [attempt.trial.theta for attempt in attempts if attempt.trial is not None]
    results = iter(bench.execute(thetas, trial))
    for player, attempt in zip(players, attempts, strict=True):
        player.record(trial, attempt, None if attempt.trial is None else next(results))
    if bench.drifts:
        known = [(player, theta) for player in players if (theta := player.best_theta) is not None]
        repeated = bench.execute([theta for _, theta in known], trial)
        for (player, _), result in zip(known, repeated, strict=True):
            player.repeat_best(result)


def _timed(
    improver: Improver, history: tuple[Outcome, ...], rng: np.random.Generator
) -> tuple[Proposal, float]:
    """Return a proposal and the wall time it took [s]."""
    begin = time.perf_counter()
    proposal = improver.propose(history, rng)
    return proposal, time.perf_counter() - begin


def _one_line(text: str) -> str:
    """Return a text without line ends, keys and halves of surrogate pairs (not writable)."""
    written = " ".join(text.split()).encode(errors="replace").decode()
    return redact_text(written)
