"""Contract of every improver, checked without a network."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache

import numpy as np

from icpi_ros.core.errors import InvalidValue
from icpi_ros.core.types import Outcome, Proposal
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Improver
from icpi_ros.learn.dataset.dataset import Dataset, freeze
from icpi_ros.testing import toy
from icpi_ros.testing.require import require

SECONDS = 120.0
"""A proposal without network that takes longer hangs."""
PHYSICS = np.array([0.2, 0.8])
Kind = type[Improver]


def trials(*thetas: tuple[float, float]) -> list[Outcome]:
    """Return toy trials of thetas."""
    return [toy.outcome(np.array(theta, dtype=float), PHYSICS) for theta in thetas]


def sampled(count: int) -> list[Outcome]:
    """Return toy trials of random thetas."""
    rng = np.random.default_rng(8)
    return [toy.outcome(theta, PHYSICS) for theta in toy.SPACE.sample(rng, count)]


HISTORIES: Mapping[str, list[Outcome]] = {
    "one": trials((1.0, 0.0)),
    "several": sampled(5),
    "long": sampled(300),
    "repeated": trials(*[(1.0, 0.1)] * 4),
    "nearly repeated": trials((1.0, 0.1), (1.0 + 1e-13, 0.1), (1.0, 0.1 - 1e-13)),
    "on the border": trials((0.6, -0.4), (1.6, 0.4), (1.6, -0.4)),
    "constant errors": [Outcome(o.theta, np.array([0.1, 0.2]), 0.22) for o in sampled(6)],
    "solved": [Outcome(np.array([1.2, 0.1]), np.zeros(2), 0.0)],
    "solved twice": [Outcome(np.array([1.2, h]), np.zeros(2), 0.0) for h in (0.1, 0.2)],
    "far away": [Outcome(o.theta, o.error * 1e6, o.cost * 1e6) for o in sampled(3)],
    "getting worse": [
        Outcome(o.theta, o.error * 10.0**n, 10.0**n) for n, o in enumerate(sampled(9))
    ],
    "tiny errors": [Outcome(o.theta, o.error * 1e-12, o.cost * 1e-12) for o in sampled(3)],
}
"""Runs so far, the usual and the unusual ones."""


@cache
def examples() -> Dataset:
    """Return the examples that improvers are checked with; read-only."""
    made = toy.dataset()
    freeze(made)
    return made


def _ask(improver: Improver, history: list[Outcome]) -> Proposal:
    return improver.propose(history, np.random.default_rng(3))


def answers_finite_and_deterministic(improver: Improver, case: str) -> None:
    """Return nothing; fail unless two proposals for one of HISTORIES are finite and the same."""
    first = _ask(improver, HISTORIES[case])
    require(0.0 <= first.latency < SECONDS, f"{case}: it reports {first.latency} s")
    require(first.theta.shape == (2,), f"{case}: theta has shape {first.theta.shape}, not (2,)")
    require(first.theta.dtype == np.float64, f"{case}: theta is of type {first.theta.dtype}")
    require(np.isfinite(first.theta).all(), f"{case}: theta is {first.theta}")
    projected = toy.SPACE.project(first.theta)[0]
    require(toy.SPACE.contains(projected), f"{case}: theta {first.theta} cannot be projected")
    again = _ask(improver, HISTORIES[case])
    require(np.array_equal(first.theta, again.theta), f"{case}: asked again, it answers otherwise")


def answers_every_history(kind: Kind) -> None:
    """Every proposal is finite, and the same for the same history and generator."""
    improver = kind(toy.context(examples()))
    for case in HISTORIES:
        answers_finite_and_deterministic(improver, case)


def keeps_no_state_between_calls(kind: Kind) -> None:
    """Nothing is kept between calls: a run can be resumed after a crash."""
    improver, history = kind(toy.context(examples())), HISTORIES["several"]
    for n in range(1, 5):
        improver.propose(history[n:], np.random.default_rng(n))
    fresh = _ask(kind(toy.context(examples())), history)
    require(
        np.array_equal(_ask(improver, history).theta, fresh.theta),
        "after other questions it answers otherwise than a new one",
    )


def leaves_its_inputs_alone(kind: Kind) -> None:
    """The history is not changed, and no proposal shares memory with it."""
    history = sampled(4)
    for trial in history:
        trial.theta.flags.writeable = False
        trial.error.flags.writeable = False
    before = [(trial.theta.copy(), trial.error.copy()) for trial in history]
    improver = kind(toy.context(examples()))
    proposal = improver.propose(tuple(history), np.random.default_rng(3))
    shared = any(np.shares_memory(proposal.theta, trial.theta) for trial in history)
    require(not shared, "the proposal is a trial's own array: copy it")
    for trial, (theta, error) in zip(history, before, strict=True):
        same = np.array_equal(trial.theta, theta) and np.array_equal(trial.error, error)
        require(same, "it changed a trial of the history")


def says_who_made_it(kind: Kind) -> None:
    """A proposal names its improver, and the reason where it is a fallback."""
    proposal = _ask(kind(toy.context(examples())), HISTORIES["several"])
    require(proposal.provenance in IMPROVERS, f"provenance {proposal.provenance!r} is no improver")
    require(
        (proposal.provenance == kind.name) == (not proposal.fallback_reason),
        f"provenance is {proposal.provenance!r}, fallback_reason {proposal.fallback_reason!r}",
    )
    require("\n" not in proposal.fallback_reason, "fallback_reason has more than one line")
    json.dumps(dict(proposal.details), allow_nan=False)


def recommends_one_of_its_trials(kind: Kind) -> None:
    """The answer of a run is one of its trials, with a finite expected cost."""
    improver = kind(toy.context(examples()))
    for case in ("one", "several"):
        found = improver.recommend(HISTORIES[case])
        require(0 <= found.index < len(HISTORIES[case]), f"{case}: it recommends {found.index}")
        require(np.isfinite(found.expected_cost), f"{case}: it expects {found.expected_cost}")


def unknown_options_are_refused(kind: Kind) -> None:
    """An option that it does not have is refused, with those that it has."""
    try:
        kind(toy.context(examples(), depth_of_nothing=3))
    except InvalidValue as exc:
        wanted = f"unknown option 'depth_of_nothing' of {kind.name}: "
        require(wanted in str(exc), f"the message is: {exc}")
    else:
        raise AssertionError("option depth_of_nothing is accepted")


def has_a_summary(kind: Kind) -> None:
    """It has a summary of one line."""
    require(kind.summary and "\n" not in kind.summary, f"its summary is {kind.summary!r}")


CHECKS: tuple[Callable[[Kind], None], ...] = (
    has_a_summary,
    answers_every_history,
    keeps_no_state_between_calls,
    leaves_its_inputs_alone,
    says_who_made_it,
    recommends_one_of_its_trials,
    unknown_options_are_refused,
)
