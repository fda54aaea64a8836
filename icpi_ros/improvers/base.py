"""Interface of all improvers: from the outcomes of a run so far to the next theta."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.errors import BudgetSpent, IcpiError, UsageError
from icpi_ros.core.redact import redact_text
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.text import printable
from icpi_ros.core.types import Array, Outcome, Proposal
from icpi_ros.improvers.options import NoOptions, option, options_of, read_options
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.learn.features import FEATURES, Features
from icpi_ros.learn.retrieval import DEFAULT_K, Index, Scale
from icpi_ros.llm.client.budget import Spending

MAX_K = 1000
"""Most examples in context that may be asked for."""
REPEAT = 1e-4
"""Scaled distance below which two thetas are the same."""
EXPLORE_STD = 0.05
"""Scaled standard deviation of the step taken instead of a repeat, far from the goal; it shrinks
with the scaled error, so that a run that has arrived stays near."""


@dataclass(frozen=True)
class Context:
    """Knowledge of an improver about a run; never the hidden physics.

    Attributes:
        space: policy parameters.
        goal: ``(g,)`` goal of the run.
        cost_mask: ``(m,)`` weight of each error dimension in the cost, 0 = it does not count.
        dataset: examples (theta, error, dtheta) of this task.
        options: of one improver, JSON values as they were given.
        spent: on its model, by a resumed run.
    """

    space: ParameterSpace
    goal: Array
    cost_mask: Array
    dataset: Dataset
    options: dict[str, Any] = field(default_factory=dict)
    spent: Spending = field(default_factory=Spending)


class Improver(ABC):
    """Proposes the next theta from the run's outcomes so far.

    Subclasses are stateless between calls as far as results go: the same history and the same
    generator state give the same proposal, so that a run can be resumed after a crash.
    """

    name: ClassVar[str]
    summary: ClassVar[str]
    needs_dataset: ClassVar[bool] = True
    uses_dataset: ClassVar[bool] = False
    """Without ``needs_dataset``: it takes the shipped data set where there is one."""
    uses_paths: ClassVar[bool] = False
    """It learns from the objects' paths in a data set, too."""
    asks_model: ClassVar[bool] = False
    predicts_gain: ClassVar[bool] = False
    """Its proposals say what they are expected to gain (``Proposal.expected_gain``) beside the
    noise of a trial; without, no run of it stops as converged."""
    Options: ClassVar[type[Any]] = NoOptions
    """Frozen dataclass of the options that it takes (:func:`icpi_ros.improvers.options.option`)."""
    options: Any
    """The run's, one of ``Options``."""
    modules: ClassVar[tuple[str, ...]] = ()
    """Modules that it needs and that only the extra ``bench`` installs."""

    def __init__(self, context: Context) -> None:
        """Keep the context; may precompute (an index over the data set).

        Raises:
            InvalidValue: a wrong option.
            UsageError: a module that it needs is not installed.
        """
        self.options = self.chosen(context.options)
        check_modules(type(self))
        self.context = context

    @property
    def may_be_replaced(self) -> bool:
        """True if another improver may stand in for it where it makes no proposal."""
        return True

    def __repr__(self) -> str:
        """Return one line: name, and number of examples."""
        return f"<Improver {self.name}: {len(self.context.dataset)} examples>"

    @classmethod
    def chosen(cls, options: Mapping[str, Any]) -> Any:
        """Return ``options`` as one of ``Options``.

        Raises:
            InvalidValue: an unknown option, or a value that is not allowed.
        """
        return read_options(cls.Options, options, getattr(cls, "name", cls.__name__))

    @classmethod
    def taken(cls, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return those of ``options``, which several improvers share, that this one has."""
        return {name: value for name, value in options.items() if name in options_of(cls.Options)}

    @classmethod
    def check(cls, options: Mapping[str, Any]) -> None:
        """Check options as far as it goes without a data set.

        Raises:
            UsageError: an unknown option, a value that is not allowed, or a module that is missing.
        """
        cls.chosen(options)
        check_modules(cls)

    @classmethod  # noqa: B027  # most have nothing to check
    def require_model(cls, options: Mapping[str, Any]) -> None:
        """Check within seconds, and for nothing, that the model that it asks can be asked, if any.

        Raises:
            CompletionFailed: it cannot; the message has the remedy.
        """

    @abstractmethod
    def propose(self, history: Sequence[Outcome], rng: np.random.Generator) -> Proposal:
        """Return the next theta for a non-empty ``history`` (oldest first).

        The proposal may lie out of bounds: the loop projects it and records that it did.  It is
        always finite, ``(d,)``.  A repeat that is meant says so (``Proposal.is_repeat``).
        """

    def recommend(self, history: Sequence[Outcome]) -> Recommendation:
        """Return the answer of a run with a non-empty ``history``, one of its executed thetas.

        Here the one of lowest mean cost over its trials: without repeats, the one that looked best.
        """
        return lowest_mean(history)


@dataclass(frozen=True)
class Recommendation:
    """Answer of a run.

    Attributes:
        index: of the trial in the history; of repeats the first.
        expected_cost: of its theta [m].
        noise: standard deviation of the outcomes of one theta [m]; NaN = not known.
    """

    index: int
    expected_cost: float
    noise: float = math.nan


def lowest_mean(history: Sequence[Outcome]) -> Recommendation:
    """Return the theta of lowest mean cost over its trials."""
    costs: dict[bytes, list[float]] = {}
    first: dict[bytes, int] = {}
    for index, outcome in enumerate(history):
        key = outcome.theta.tobytes()
        first.setdefault(key, index)
        costs.setdefault(key, []).append(outcome.cost)
    means = {key: float(np.mean(found)) for key, found in costs.items()}
    lowest = min(means, key=means.__getitem__)
    return Recommendation(first[lowest], means[lowest])


@dataclass(frozen=True)
class IndexedOptions:
    """Options of an improver that retrieves examples."""

    k: int = option(DEFAULT_K, "retrieved examples", low=1, high=MAX_K)
    features: str = option(
        "error",
        "outcome as the improver sees it: the relative error, or state and goal (ICPI's ablation)",
        choices=FEATURES,
    )


class IndexedImprover(Improver):
    """An improver that retrieves examples; a base for others."""

    Options = IndexedOptions
    options: IndexedOptions

    def __init__(self, context: Context) -> None:
        """Index the data set: k examples, as many as there are if it is smaller, but at least 20.

        Raises:
            InvalidValue: a wrong option, or a data set with too few examples.
        """
        super().__init__(context)
        asked, k = "k" in context.options, self.options.k
        self._features = Features.of(self.options.features, context.dataset, context.goal)
        self._scale = Scale.of(context.dataset, context.space, context.cost_mask)
        examples, mask = self._features.examples(context.dataset), self._features.mask
        self._index = Index(examples, context.space, mask(context.cost_mask))
        self._index.require(k if asked else DEFAULT_K)
        self._k = min(k, len(context.dataset))

    def _seen(self, trial: Outcome) -> Array:
        """Return the features ``(f,)`` of a trial."""
        return self._features.trial(trial.error)

    def _error(self, error: Array) -> Array:
        """Scale relative errors ``(..., m)``; 1 is the RMS in the data set."""
        return self._scale.error(error)

    def _fresh(
        self, theta: Array, base: Outcome, history: Sequence[Outcome], rng: np.random.Generator
    ) -> Array:
        """Return :func:`fresh` of a theta."""
        left = float(np.linalg.norm(self._error(base.error)))
        return fresh(theta, base, history, self.context.space, left, rng)

    def _tried(self, theta: Array, history: Sequence[Outcome]) -> bool:
        return tried(theta, history, self.context.space)


def fresh(
    theta: Array,
    base: Outcome,
    history: Sequence[Outcome],
    space: ParameterSpace,
    left: float,
    rng: np.random.Generator,
) -> Array:
    """Return ``theta``, or a small step from ``base`` if it was tried or is not finite.

    Args:
        theta: ``(d,)`` to be tried.
        base: from which a step is taken; inside the space.
        history: of the run.
        space: of theta.
        left: scaled error of ``base``, 1 is usual; the step shrinks with it.
        rng: of the step.
    """
    if np.isfinite(theta).all() and not tried(theta, history, space):
        return theta
    size = max(EXPLORE_STD * min(left, 1.0), 2.0 * REPEAT)
    scaled = space.normalise(base.theta) + size * rng.standard_normal(space.dim)
    inward = np.where(np.abs(scaled) > 1.0, 2.0 * np.sign(scaled) - scaled, scaled)
    return space.denormalise(np.clip(inward, -1.0, 1.0))


def tried(theta: Array, history: Sequence[Outcome], space: ParameterSpace) -> bool:
    """Return whether ``theta``, projected into the space, was executed before."""
    scaled = space.normalise(space.nearest(theta))
    done = space.normalise(np.array([outcome.theta for outcome in history]))
    return bool((np.abs(done - scaled).max(axis=1) < REPEAT).any())


def best(history: Sequence[Outcome]) -> Outcome:
    """Return the outcome of lowest cost, the earliest if several are equal."""
    return min(history, key=lambda outcome: outcome.cost)


def failures(history: Sequence[Outcome]) -> int:
    """Return the number of trials since the best one, none of which improved on it."""
    base = best(history)
    return len(history) - 1 - next(n for n, outcome in enumerate(history) if outcome is base)


def build(kind: type[Improver], context: Context) -> Improver:
    """Return a new improver.

    Raises:
        UsageError: a wrong option, or whatever else a class from outside raises, in one line.
    """
    try:
        kind.check(context.options)  # a class from outside may leave this out
        return kind(context)
    except IcpiError:
        raise
    except Exception as exc:
        why = printable(" ".join(redact_text(f"{type(exc).__name__}: {exc}").split()))
        raise UsageError(f"improver {kind.name} cannot be made: {why}") from exc


def first_answer(asked: Iterable[tuple[str, Callable[[], Proposal]]]) -> Proposal:
    """Return the proposal of the first improver that makes one; the only way into a fallback.

    Its ``fallback_reason`` is one line on the failures of those before it.

    Args:
        asked: names of improvers, the wanted one first, and what asks them.

    Raises:
        BudgetSpent: the budget of the model is used up; there is no substitute then.
        Exception: that of the last improver, where none makes a proposal.
    """
    failures: list[str] = []
    failed: Exception = ValueError("no improver to ask")
    for name, ask in asked:
        try:
            proposal = ask()
        except BudgetSpent:
            raise
        except Exception as exc:  # whatever a model or a plug-in does, the run goes on
            failures.append(f"{name}: {' '.join(str(exc).split()) or type(exc).__name__}")
            failed = exc
        else:
            reasons = filter(None, [*failures, proposal.fallback_reason])
            return replace(proposal, fallback_reason="; ".join(reasons))
    raise failed


def without_options(context: Context) -> Context:
    """Return the context for an improver that stands in for another one."""
    return replace(context, options={})


def check_modules(kind: type[Improver]) -> None:
    """Check that the modules of an improver are installed.

    Raises:
        UsageError: one is not; the message has the command.
    """
    lacking = [name for name in kind.modules if find_spec(name) is None]
    if lacking:
        raise UsageError(
            f"improver {kind.name!r} needs {lacking[0]}, which is not installed: run "
            "`make setup SETUP_FLAGS=--with=bench`, or `pip install 'icpi_ros[bench]'`"
        )
