"""Spending on a model, its budget, and the meter that holds a run to it."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from icpi_ros.core.errors import BudgetSpent, CompletionFailed, invalid
from icpi_ros.core.types import Trial


@dataclass(frozen=True)
class Spending:
    """Cost of calls of a model.

    Attributes:
        calls: number of HTTP requests, retries included.
        prompt_tokens: as the server reported; estimated where it did not.
        completion_tokens: the same.
        cached_tokens: part of ``prompt_tokens`` that the server had cached.
        estimated: calls whose tokens were estimated.
        money: [currency of the price table]; NaN = unknown.
        seconds: wall time waited for the model, pauses between retries included; completions
            that are under way at the same time share it [s].
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    estimated: int = 0
    money: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Spending) -> Spending:
        """Return the sum; unknown money stays unknown."""
        return Spending(
            self.calls + other.calls,
            self.prompt_tokens + other.prompt_tokens,
            self.completion_tokens + other.completion_tokens,
            self.cached_tokens + other.cached_tokens,
            self.estimated + other.estimated,
            self.money + other.money,
            self.seconds + other.seconds,
        )

    def __sub__(self, other: Spending) -> Spending:
        """Return the difference; unknown money stays unknown."""
        return Spending(
            self.calls - other.calls,
            self.prompt_tokens - other.prompt_tokens,
            self.completion_tokens - other.completion_tokens,
            self.cached_tokens - other.cached_tokens,
            self.estimated - other.estimated,
            self.money - other.money,
            self.seconds - other.seconds,
        )

    @property
    def tokens(self) -> int:
        """Prompt and completion tokens."""
        return self.prompt_tokens + self.completion_tokens

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON types; unknown money is None."""
        return vars(self) | {"money": None if math.isnan(self.money) else self.money}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Spending:
        """Inverse of :meth:`as_dict`; unknown keys are ignored, missing ones are 0."""
        known = {f.name: values[f.name] for f in fields(cls) if f.name in values}
        if known.get("money", 0.0) is None:
            known["money"] = math.nan
        return cls(**known)


@dataclass(frozen=True)
class Budget:
    """Limits on a run's spending on its model; infinity = no limit.

    Attributes:
        calls: number of HTTP requests, retries included.
        tokens: prompt and completion tokens.
        money: [currency of the price table].
        seconds: waiting for the model [s].
    """

    calls: float = math.inf
    tokens: float = math.inf
    money: float = math.inf
    seconds: float = math.inf

    def __post_init__(self) -> None:
        """Refuse limits that are no numbers.

        Raises:
            InvalidValue: a limit is not positive.
        """
        for f in fields(self):
            value = getattr(self, f.name)
            if math.isnan(value) or value <= 0.0:
                text = f"budget of {f.name} = {value:g}: must be above 0"
                raise invalid(text, f.name, value, (0.0, math.inf))

    @cached_property
    def limits(self) -> tuple[tuple[str, float], ...]:
        """Names and values of those that there are."""
        named = ((f.name, float(getattr(self, f.name))) for f in fields(self))
        return tuple((name, limit) for name, limit in named if math.isfinite(limit))


def failure_details(spent: Spending, tries: Iterable[str]) -> dict[str, Any]:
    """Return the ``details`` of an error that a completion ended with."""
    return {"spent": spent.as_dict(), "tries": list(tries)}


def spent_of(failure: CompletionFailed | BudgetSpent) -> Spending:
    """Return the cost of the completion that ended with an error; nothing if it is not told."""
    return Spending.from_dict(failure.details.get("spent", {}))


def spent_on(trials: Iterable[Trial]) -> Spending:
    """Return the cost of the proposals of all attempts of a run's trials.

    An attempt that repeats a proposal did not pay for it again.
    """
    paid: dict[tuple[int, str], Spending] = {}
    for trial in trials:
        spent = trial.proposal.details.get("spent")
        if isinstance(spent, Mapping):
            made = f"{trial.proposal.theta.tolist()} {sorted(spent.items())}"
            paid[trial.number, made] = Spending.from_dict(spent)
    return sum(paid.values(), Spending())


class Meter:
    """Adds up a run's spending and stops it at the budget; used from any thread.

    Attributes:
        budget: the limits.
        spent: so far.
    """

    def __init__(self, budget: Budget | None = None, spent: Spending | None = None) -> None:
        """Begin with what a resumed run has ``spent`` already."""
        self.budget = budget or Budget()
        self.spent = spent or Spending()
        self._lock = threading.Lock()
        self._under_way = 0  # completions
        self._shared = 0.0  # integral of time over their number [s]
        self._counted = 0.0  # time up to which it goes [s of monotonic time]

    def require(self) -> None:
        """Check that one more call may be made.

        Raises:
            BudgetSpent: it may not; the message names the limit.  Unknown money counts as spent.
        """
        for name, limit in self.budget.limits:
            spent = getattr(self.spent, name)
            if not spent < limit:
                raise BudgetSpent(
                    f"the model's budget of {name} is used up: {spent:.6g} of {limit:.6g}"
                )

    def charge(self, spent: Spending) -> None:
        """Add what a call cost."""
        with self._lock:
            self.spent = self.spent + spent

    def pay(self, spent: Spending) -> None:
        """Add what a call costs if it may be made.

        Raises:
            BudgetSpent: it may not, and nothing is added; see :meth:`require`.
        """
        with self._lock:
            self.require()
            self.spent = self.spent + spent

    def begin_waiting(self) -> float:
        """Return :meth:`shared_time`; one more completion shares it from now on."""
        now = self.shared_time()
        with self._lock:
            self._under_way += 1
        return now

    def shared_time(self) -> float:
        """Return a time of which every completion under way gets an equal share [s].

        So the shares of all add up to the time during which any was under way.
        """
        with self._lock:
            now = time.monotonic()
            if self._under_way:
                self._shared += (now - self._counted) / self._under_way
            self._counted = now
            return self._shared

    def end_waiting(self) -> None:
        """Let one completion less share the time."""
        with self._lock:
            self._under_way -= 1
