"""Verdict on a run: one sentence, which begins its page and its picture."""

from __future__ import annotations

from collections.abc import Sequence

from icpi_ros.core.types import Trial, TrialStatus
from icpi_ros.core.units import millimetres

_WORDS = (
    "no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    "eleven", "twelve",
)  # fmt: skip


def verdict(trials: Sequence[Trial]) -> str:
    """Return one sentence on how far a run came.

    ``213 mm to 1.00 mm in one adjustment, 0.11 mm after two.``  Trials without a cost and proposals
    that fell back are counted behind it.
    """
    done = [trial for trial in trials if trial.status is TrialStatus.DONE]
    if not done:
        return "No trial was observed."
    return " ".join([f"{_way(done)}.", *_remarks(trials, len(done))])


def counted(number: int, word: str) -> str:
    """Return ``one adjustment``, ``two adjustments``."""
    return f"{_word(number)} {word}{'' if number == 1 else 's'}"


def _way(done: Sequence[Trial]) -> str:
    first, best = done[0], min(done, key=lambda trial: trial.cost)
    start = millimetres(first.cost)
    where = f" (trial {first.number}, the first with a cost)" if first.number else ""
    if len(done) == 1:
        return f"{start}{where}; no adjustment has an outcome yet"
    if best is first:
        others = counted(len(done) - 1, "adjustment")
        return f"{start}{where}; not closer in {others}"
    second = done[1]
    steps = best.number - first.number
    if best is second or second.cost >= first.cost:
        return f"{start}{where} to {millimetres(best.cost)} in {counted(steps, 'adjustment')}"
    early = counted(second.number - first.number, "adjustment")
    late = f"{millimetres(best.cost)} after {_word(steps)}"
    return f"{start}{where} to {millimetres(second.cost)} in {early}, {late}"


def _word(number: int) -> str:
    return _WORDS[number] if number < len(_WORDS) else str(number)


def _remarks(trials: Sequence[Trial], done: int) -> list[str]:
    lost = len(trials) - done
    replaced = sum(bool(trial.proposal.fallback_reason) for trial in trials)
    found = [f"{lost} of {len(trials)} trials without a cost."] if lost else []
    if replaced:
        found.append(f"{replaced} of {len(trials)} proposals fell back on another.")
    return found
