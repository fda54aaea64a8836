"""Remarks of an improver on the trials of a run, as lines: what it learnt from, what is no use."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real

from icpi_ros.core.types import Trial, TrialStatus
from icpi_ros.core.units import millimetres
from icpi_ros.runs.answer import answer_of


def belief_lines(trials: Sequence[Trial]) -> list[str]:
    """Return the share of the last proposal's belief that came from the data set, if known."""
    known = [t for t in trials if isinstance(t.proposal.details.get("belief_from_data"), Real)]
    if not known:
        return []
    last = known[-1]
    share = 100.0 * float(last.proposal.details["belief_from_data"])
    return [
        f"belief behind the proposal of trial {last.number}: {share:.0f} % from the data set, "
        f"{100.0 - share:.0f} % from the run's own trials"
    ]


def remark_lines(trials: Sequence[Trial]) -> list[str]:
    """Return a line per parameter that changed nothing, one on noise above what is left.

    As far as the last proposal that was made from an improver's belief knows of any.  Then the
    answer of the run, where it is not the trial that looked best.
    """
    answer = answer_of(trials)
    return [*_last_remarks(trials), *([answer.line] if answer else [])]


def _last_remarks(trials: Sequence[Trial]) -> list[str]:
    proposed = [trial for trial in trials if "belief_from_data" in trial.proposal.details]
    if not proposed:
        return []
    last = proposed[-1]
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    before = sum(trial.number < last.number for trial in done)
    names = last.proposal.details.get("no_effect", ())
    lines = [
        f"{name} changed nothing in {before} trials: leave it out, or check that the motion uses it"
        for name in (names if isinstance(names, list) else ())
    ]
    noise = last.proposal.details.get("noise")
    lowest = min((trial.cost for trial in done), default=0.0)
    if isinstance(noise, Real) and float(noise) > lowest:
        lines.append(
            "the deviation between trials that no parameter explains, about "
            f"{millimetres(float(noise))}, is larger than the {millimetres(lowest)} that are left"
        )
    return lines
