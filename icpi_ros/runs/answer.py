"""Answer of a run: the trial that it recommends, and whether a further one is worth its while.

Under noise the trial that looked best need not have the best theta.  An improver with a belief
recommends by that; where it is another trial, the trial that was told last keeps it in its
details, so that a stored run, its reports and a resumed run know it, too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import ANSWER, Array, Outcome, Proposal, Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.improvers import IMPROVERS
from icpi_ros.runs.proposals import Proposals, SeededProposals
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.settings.table import find
from icpi_ros.tasks.feasibility import FeasibilityCheck

AFTER_TRIALS, WHEN_CONVERGED = find("stop").choices
"""Values of the setting ``stop``; with the second one a run ends where a trial is not worth it."""
MIN_TRIALS = 3
"""Trials before a run can have converged."""
HORIZON = 8
"""Further trials that are thought of at most; all are taken to gain what the next one is expected
to, which is an upper limit as long as gains become smaller."""


@dataclass(frozen=True)
class RunAnswer:
    """Answer of a run where it is not the trial that looked best.

    Attributes:
        trial: the recommended one; of repeats the first.
        looked_best: the one of lowest cost.
        expected_cost: of the recommended theta [m].
        noise: standard deviation of the outcomes of one theta [m]; NaN = not known.
    """

    trial: Trial
    looked_best: Trial
    expected_cost: float
    noise: float

    @property
    def line(self) -> str:
        """The answer in one line."""
        differ = f", but outcomes of one theta differ by about {millimetres(self.noise)}"
        return (
            f"recommended: theta of trial {self.trial.number}, {millimetres(self.expected_cost)} "
            f"expected; trial {self.looked_best.number} looked best with "
            f"{millimetres(self.looked_best.cost)}{'' if math.isnan(self.noise) else differ}"
        )


def answer_of(trials: Sequence[Trial]) -> RunAnswer | None:
    """Return the answer of a run, new or stored; None = the trial that looked best, if any."""
    done = _done(trials)
    kept = done[-1].proposal.details.get(ANSWER) if done else None
    if not isinstance(kept, dict):
        return None
    found = next((trial for trial in done if trial.number == kept.get("trial")), None)
    if found is None:
        return None
    noise = math.nan if kept["noise"] is None else float(kept["noise"])  # JSON has null for NaN
    return RunAnswer(found, _best(done), float(kept["expected_cost"]), noise)


def recommended(trials: Sequence[Trial]) -> Trial | None:
    """Return the trial whose theta is the answer of a run; None if none was observed."""
    answer = answer_of(trials)
    if answer is not None:
        return answer.trial
    done = _done(trials)
    return _best(done) if done else None


def with_answer(trials: Sequence[Trial], last: Trial, proposals: Proposals) -> Trial:
    """Return the trial told last with the answer after it, where that is not what looked best.

    Args:
        trials: of the run; those that are done have lower numbers.
        last: done.
        proposals: of the run; only an improver recommends.
    """
    source = _source(proposals)
    if not isinstance(source, SeededProposals):
        return last
    done = [*_done(trials), last]
    found = source.proposer.recommend([t.outcome for t in done if t.outcome is not None])
    if found is None or (chosen := done[found.index]) is _best(done):
        return last
    kept = {
        "trial": chosen.number,
        "expected_cost": round(found.expected_cost, 6),
        "noise": round(found.noise, 6),
    }
    details = {**last.proposal.details, ANSWER: kept}
    return replace(last, proposal=replace(last.proposal, details=details))


def repeat_of(trial: Trial, trials: Sequence[Trial]) -> int | None:
    """Return the number of the first trial of the same theta, if that is an earlier one."""
    same = (t.number for t in trials if t.number < trial.number and _equal(t.theta, trial.theta))
    return min(same, default=None)


def made_how(trial: Trial, trials: Sequence[Trial]) -> str:
    """Return what became of a proposal: ``, projected, repeat of trial 3``; empty = nothing."""
    again = repeat_of(trial, trials)
    moved = ", projected" if trial.projected else ""
    return moved + ("" if again is None else f", repeat of trial {again}")


def check_stop(stop: str, improver: str) -> None:
    """Check that runs of an improver can end as ``stop`` says.

    Raises:
        UsageError: its proposals do not say what they are expected to gain.
    """
    if stop != WHEN_CONVERGED or IMPROVERS.get(improver).predicts_gain:
        return
    able = [name for name in IMPROVERS if IMPROVERS.get(name).predicts_gain]
    raise UsageError(
        f"stop = {stop} needs an improver that predicts what a trial gains: {improver} does not, "
        f"choose {' or '.join(able)}, or stop = after-trials"
    )


def trials_left(done: int, budget: int) -> int:
    """Return the number of further trials that are thought of."""
    return min(budget - done, HORIZON)


def has_converged(done: int, budget: int, gain: float, noise: float) -> bool:
    """Return whether no further trial of a run is worth it.

    Args:
        done: trials of the run so far.
        budget: trials in all.
        gain: expected of the next one [m]; NaN = not known.
        noise: standard deviation of the outcomes of one theta [m]; NaN = not known.
    """
    return done >= MIN_TRIALS and trials_left(done, budget) * gain < noise  # never of NaN


def may_have_converged(config: RunConfig, history: Sequence[Outcome]) -> bool:
    """Return whether the next proposal decides if a run ends."""
    return config.stop == WHEN_CONVERGED and len(history) >= MIN_TRIALS


@dataclass(frozen=True)
class Foreseen:
    """Proposals of a run, of which the next one is known already.

    Attributes:
        proposals: of the run.
        number: of the trial that is known.
        proposal: of that trial.
    """

    proposals: Proposals
    number: int
    proposal: Proposal

    @classmethod
    def of(
        cls, proposals: Proposals, history: Sequence[Outcome], why_not: FeasibilityCheck
    ) -> Foreseen:
        """Ask for the proposal of the next trial; without one, nothing is known of it."""
        number, source = len(history), _source(proposals)
        try:
            return cls(source, number, source.propose(history, number, why_not))
        except Exception as exc:  # whoever asks for the trial is told; the last one is done
            return cls(source, -1, Proposal(history[-1].theta, "", str(exc)))

    def propose(
        self, history: Sequence[Outcome], number: int, why_not: FeasibilityCheck
    ) -> Proposal:
        """See :class:`icpi_ros.runs.proposals.Proposals`."""
        if number == self.number == len(history):
            return self.proposal
        return self.proposals.propose(history, number, why_not)

    def converged(self, budget: int) -> str | None:
        """Return why no further trial is worth it, one line; None = one is, or that is not known.

        What all that are left of ``budget`` may gain together is below the noise of one.
        """
        gain, noise = self.proposal.expected_gain, self.proposal.trial_noise
        if not has_converged(self.number, budget, gain, noise):
            return None
        left = trials_left(self.number, budget)
        gain *= left
        trials = "a further trial" if left == 1 else f"{left} further trials"
        return (
            f"converged: expected gain of {trials} {millimetres(gain)}, below the noise "
            f"{millimetres(noise)}"
        )


def _source(proposals: Proposals) -> Proposals:
    return proposals.proposals if isinstance(proposals, Foreseen) else proposals


def _done(trials: Sequence[Trial]) -> list[Trial]:
    return [trial for trial in trials if trial.status is TrialStatus.DONE]


def _best(done: Sequence[Trial]) -> Trial:
    return min(done, key=lambda trial: trial.cost)


def _equal(one: Array, other: Array) -> bool:
    return one.tobytes() == other.tobytes()
