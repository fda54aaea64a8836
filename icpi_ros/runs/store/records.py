"""Stored runs as values: configuration, record, one line of a list."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np

from icpi_ros.core.errors import StoreError, UsageError
from icpi_ros.core.redact import jsonable, leaked, watch
from icpi_ros.core.types import TrialOrigin
from icpi_ros.learn.dataset.execution import Execution

HALF_RUN = "half-run: the process ended in the middle of this trial"
"""Note of a trial that was under way when its process died."""


class UnknownRun(UsageError):
    """No run with that id is in the store."""


@dataclass(frozen=True)
class RunConfig:
    """Configuration of a run; a stored run is resumed from it.

    Attributes:
        task: name of the task.
        improver: name of the improver that was asked for.
        goal: goal vector [units of the task's goal space].
        budget: number of trials in all, the first attempt included.
        target_cost: stop when a trial costs at most this [m]; 0 = use the whole budget.
        seed: trial n draws from ``numpy.random.default_rng([seed, n])``.
        options: settings of the improver, JSON-able; never a key.
        versions: versions that matter (icpi_ros, numpy, ...).
        definition_hash: of the task (``Task.definition_hash``).
        dataset_hash: of the data set (``dataset.fingerprint``); empty = none used.
        paths_hash: of its paths (``dataset.paths_fingerprint``), which are not in ``dataset_hash``;
            empty = it has none, None = not recorded: its improver reads none, or an older run.
        max_step: largest change of theta from an executed trial to the next, a share of each
            parameter's range, 0 (exclusive) to 1 (no limit).
        dataset_arm: arm of the data set where that is another than the run's, on purpose; empty =
            the same, or not known.
        learned_from: earlier runs of the store whose trials stand behind the data set: the number
            of trials by id of the run, in the order of the ids.
        first: first trial: ``demonstration``, of a task that has one, or ``random``.
        stop: ``after-trials``, or ``when-converged``: also where a trial is not worth it.
    """

    task: str
    improver: str
    goal: tuple[float, ...]
    budget: int
    target_cost: float = 0.0
    seed: int = 0
    options: Mapping[str, Any] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    definition_hash: str = ""
    dataset_hash: str = ""
    max_step: float = 1.0
    dataset_arm: str = ""
    learned_from: Mapping[str, int] = field(default_factory=dict)
    first: str = "demonstration"
    stop: str = "after-trials"
    paths_hash: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the configuration as JSON types."""
        return {name: jsonable(value) for name, value in asdict(self).items()}


def origin_of(run_id: str, config: RunConfig, execution: Execution) -> TrialOrigin:
    """Return the provenance of a trial of a run that is executed in that way."""
    return TrialOrigin(
        run_id=run_id,
        task=config.task,
        improver=config.improver,
        goal=np.array(config.goal, dtype=np.float64),
        backend=execution.backend.value,
    )


@dataclass(frozen=True)
class RunRecord:
    """A stored run: its id, UTC time of creation (ISO 8601), configuration and end.

    ``state`` is ``open`` (under way, or its process died), ``finished``, ``failed`` or
    ``cancelled``; ``note`` is the reason in one line.  ``execution`` is that of its beginning,
    ``mixed`` names arms or backends mixed on purpose (empty = none), ``may_mix`` allows the next
    resume to mix.
    """

    run_id: str
    created: str
    config: RunConfig
    state: str
    note: str
    execution: Execution = field(default_factory=Execution)
    mixed: str = ""
    may_mix: bool = False

    def settings(self) -> dict[str, Any]:
        """Return all settings of the run by name, for comparisons.

        Names are those of the configuration, ``options.k`` for what is inside of one, and
        ``execution.arm`` and so on for how the run began.
        """
        learned = ", ".join(f"{run} ({n})" for run, n in self.config.learned_from.items())
        own = {"learned_from": learned, "execution": asdict(self.execution)}
        return _flat(self.config.as_dict() | own)


@dataclass(frozen=True)
class RunSummary:
    """One line of the list of runs; ``best_cost`` [m] is NaN while no trial was observed."""

    run_id: str
    created: str
    task: str
    improver: str
    budget: int
    trials: int
    best_cost: float
    state: str
    execution: Execution
    mixed: str = ""
    note: str = ""


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def utc_now() -> str:
    """Return the time as ISO 8601 with microseconds, UTC."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def new_id(task: str, taken: Callable[[str], bool]) -> str:
    """Return a new id of a run; ids sort by time of creation [UTC], ``20261121-091500-slide-3f2a``.

    Args:
        task: name of the task.
        taken: whether an id is in use.

    Raises:
        StoreError: too many runs were made within this second.
    """
    stem = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{task}"
    for _ in range(1000):
        run_id = f"{stem}-{secrets.token_hex(2)}"
        if not taken(run_id):
            return run_id
    raise StoreError(f"no free run id beginning with {stem}: wait a second and try again")


def unknown_run(run_id: str, where: object, latest: Sequence[str]) -> str:
    """Return the message about a run that is not stored; ``latest`` are ids of some that are."""
    hint = f"the latest are {', '.join(latest)}" if latest else "the store is empty"
    return f"no run {run_id!r} in {where}: {hint}"


def refuse_keys(config: RunConfig) -> None:
    """Refuse a configuration that holds a key of the environment.

    Raises:
        UsageError: an option holds one.
    """
    watch(config.options.get("key_variable"))
    if name := leaked(config.as_dict()):
        raise UsageError(
            f"the run's options hold the value of {name}: keys are read from the environment "
            "and never stored; remove the option"
        )


def config_from_json(text: str) -> RunConfig:
    """Inverse of :meth:`RunConfig.as_dict` as JSON text.

    Raises:
        ValueError: the text is damaged, or has fields that are unknown here.
    """
    try:
        values = json.loads(text)
        return RunConfig(**values | {"goal": tuple(float(g) for g in values["goal"])})
    except (TypeError, LookupError, RecursionError) as exc:
        raise ValueError(f"{type(exc).__name__}: {exc}") from exc
