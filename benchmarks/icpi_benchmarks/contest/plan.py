"""Plan of a contest: tasks, improvers, conditions, sizes, seed."""

from __future__ import annotations

import contextlib
import functools
import math
import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType
from typing import Any

from icpi_benchmarks.cassettes.recordings import Recordings
from icpi_benchmarks.contest.conditions import NULLS, PRESETS, REFERENCE, Condition
from icpi_benchmarks.contest.entrants import SUBSTITUTE, Entrant, entrants, nulls_of
from icpi_benchmarks.contest.frozen import identity
from icpi_benchmarks.contest.play import ContestRules
from icpi_ros.core import plugins
from icpi_ros.core.errors import InvalidValue, Kind, invalid
from icpi_ros.learn.building.build import versions
from icpi_ros.learn.dataset.dataset import Dataset, check_arm, shipped
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.robots import ARMS, argument_of
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

DEFAULT_TIME_LIMIT = 30.0
"""Of one proposal [s]."""
DEFAULT_THRESHOLD = 0.005
"""Cost from which on an instance counts as solved [m]."""
RIVAL = "knn"
"""The improver of the same examples that a language model is worth asking if it beats."""
OPTIONAL = ("bayesian-optimization", "scikit-learn", "cmaes", "openai")
"""Packages whose versions matter to some improvers, if they are installed."""


@dataclass(frozen=True)
class ContestPlan:
    """A benchmark; the same plan gives the same rows, times apart.

    Attributes:
        tasks: in the order of the report.
        improvers: labels ``NAME[:KEY=VALUE...]`` in the order of the report.
        conditions: at least one, with different names.
        instances: per task and condition.
        trials: per instance and improver, the common first attempt included.
        seed: of everything random.
        time_limit: of one proposal [s].
        threshold: cost from which on an instance counts as solved [m].
        preset: name, for the record; without meaning where the conditions are not its own.
        draws: as given on the command line; "" = those of the preset.
        arm: that executes all tasks; None = each task's own.
        datasets: examples of single tasks; the others have the shipped ones.
        dataset_files: where those come from, for the command.
        mix: examples of another arm are meant.
        recordings: of the models that are asked; None = their labels say where to find them.
    """

    tasks: tuple[Task, ...]
    improvers: tuple[str, ...]
    conditions: tuple[Condition, ...] = (Condition(),)
    instances: int = 200
    trials: int = 6
    seed: int = 0
    time_limit: float = DEFAULT_TIME_LIMIT
    threshold: float = DEFAULT_THRESHOLD
    preset: str = "main"
    draws: str = ""
    arm: Arm | None = None
    datasets: tuple[Dataset, ...] = ()
    dataset_files: tuple[str, ...] = ()
    mix: bool = False
    recordings: Recordings | None = None

    def __post_init__(self) -> None:
        """Refuse a plan that cannot be run.

        Raises:
            UnknownName: no such improver.
            InvalidValue: nothing to run, or a name that is there twice.
        """
        for name in ("instances", "trials"):
            if (count := getattr(self, name)) < 1:
                text = f"{name} = {count}: must be at least 1"
                raise invalid(text, name, count, (1, math.inf))
        if self.seed < 0:
            text = f"seed = {self.seed}: must not be negative"
            raise invalid(text, "seed", self.seed, (0, math.inf))
        for name in ("time_limit", "threshold"):
            value = getattr(self, name)
            if not (math.isfinite(value) and value > 0.0):
                text = f"{name} = {value}: must be a positive number"
                raise invalid(text, name, value, (0.0, math.inf))
        _once("task", [task.name for task in self.tasks])
        _once("condition", [condition.name for condition in self.conditions])
        self._check_datasets()
        entrants(self.improvers)
        for condition in self.conditions:
            if not condition.players(self.improvers):
                who = ", ".join(condition.improvers)
                text = f"condition {condition.name!r} needs one of these improvers: {who}"
                raise invalid(text, "improvers", self.improvers, condition.improvers)

    def _check_datasets(self) -> None:
        names = [dataset.task for dataset in self.datasets]
        for name in names:
            if names.count(name) > 1:
                text = f"two data sets are of task {name!r}: give one of each task"
                raise invalid(text, "dataset", name, kind=Kind.DUPLICATE)
            there = tuple(task.name for task in self.tasks)
            if name not in there:
                text = f"a data set is of task {name!r}, which does not take part"
                raise invalid(text, "dataset", name, there, kind=Kind.UNKNOWN_NAME)

    def arm_of(self, task: Task) -> Arm:
        """Return the arm that executes one of the tasks."""
        return self.arm or ARMS.get(task.arm)

    def entrants(self, labels: Sequence[str] | None = None) -> tuple[Entrant, ...]:
        """Return the entrants that ``labels`` name (None = all), with their recordings."""
        found = entrants(self.improvers if labels is None else labels)
        return tuple(entrant.using(self.recordings) for entrant in found)

    def own_examples(self, task: Task) -> Dataset | None:
        """Return the examples that were given for a task; None = none were."""
        return next((data for data in self.datasets if data.task == task.name), None)

    def examples(self, task: Task) -> Dataset:
        """Return the examples of a task.

        Raises:
            DatasetError: none were given, and none are shipped.
        """
        own = self.own_examples(task)
        if own is not None:
            return own
        if task.name not in self._read:
            self._read[task.name] = shipped(task)
        return self._read[task.name]

    @functools.cached_property
    def _read(self) -> dict[str, Dataset]:
        """Shipped data sets that were read so far."""
        return {}

    def mixed(self) -> dict[str, str]:
        """Return by task of which other arm its examples are, on purpose.

        Raises:
            DatasetError: of another arm, and that is not meant.
        """
        return dict(self._mixed)

    @functools.cached_property
    def _mixed(self) -> Mapping[str, str]:
        """Return :meth:`mixed`, for which all data sets are read."""
        if not any(entrant.kind.needs_dataset for entrant in entrants(self.improvers)):
            return {}
        found = {
            task.name: check_arm(self.examples(task), ArmId.of(self.arm_of(task)), self.mix)
            for task in self.tasks
        }
        return {name: arm for name, arm in found.items() if arm}

    @functools.cached_property
    def rivals(self) -> dict[str, list[str]]:
        """Return by label of who asks a model whom it must beat: its nulls, knn, the reference."""
        asking = [entrant for entrant in self.entrants() if entrant.kind.asks_model]
        named = PRESETS[self.preset].reference if self.preset in PRESETS else ""
        wanted = {one.label: (*nulls_of(one), *NULLS, RIVAL, named) for one in asking}
        return {
            label: [one for one in dict.fromkeys(others) if one in self.improvers and one != label]
            for label, others in wanted.items()
        }

    @property
    def reference(self) -> str:
        """Label that the others are compared with: the preset's, embedded, else the first."""
        named = PRESETS[self.preset].reference if self.preset in PRESETS else ""
        known = [label for label in (named, REFERENCE) if label in self.improvers]
        return known[0] if known else self.improvers[0]

    @property
    def rules(self) -> ContestRules:
        """Seed, number of trials and time limit of every instance."""
        return ContestRules(self.seed, self.trials, self.time_limit)

    @property
    def cells(self) -> int:
        """Number of (condition, task, instance)."""
        return len(self.tasks) * len(self.conditions) * self.instances

    @property
    def has_command(self) -> bool:
        """True if a command can repeat it: the conditions are those of its preset."""
        if self.preset not in PRESETS:
            return False
        named = PRESETS[self.preset].with_improvers(self.improvers)
        try:
            return self.conditions == named.with_draws(self.draws or "test").conditions
        except InvalidValue:  # it compares draws
            return not self.draws and self.conditions == named.conditions

    def command(self, out: str = "") -> str:
        """Return the command that repeats it, with results into a file called ``out``.

        Empty if there is none: conditions of one's own have no option.
        """
        if not self.has_command:
            return ""
        parts = ["icpi", "bench", *plugins.as_options(), "--preset", self.preset]
        parts += ["--tasks", ",".join(task.name for task in self.tasks)]
        parts += ["--improvers", ",".join(self.improvers)]
        parts += ["--draws", self.draws] if self.draws else []
        parts += ["--arm", argument_of(self.arm)] if self.arm else []
        parts += [word for file in self.dataset_files for word in ("--dataset", file)]
        parts += ["--mix"] if self.mix else []
        parts += self.recordings.arguments if self.recordings else []
        parts += ["--instances", str(self.instances), "--trials", str(self.trials)]
        parts += ["--seed", str(self.seed), "--time-limit", f"{self.time_limit!r}"]
        parts += ["--threshold", f"{self.threshold!r}"]
        parts += ["--json", out] if out else []
        return shlex.join(parts)

    def config(self) -> dict[str, Any]:
        """Return the plan's part of the results file; without command and data sets."""
        return {
            "preset": self.preset if self.has_command else "",
            "seed": self.seed,
            "instances": self.instances,
            "trials": self.trials,
            "time_limit": self.time_limit,
            "threshold_m": self.threshold,
            "tasks": [task.name for task in self.tasks],
            "improvers": list(self.improvers),
            "default": self.reference,
            "substitute": SUBSTITUTE,
            "rivals": self.rivals,
            "conditions": [condition.as_dict() for condition in self.conditions],
            "versions": dict(all_versions()),
            "definitions": {task.name: task.definition_hash() for task in self.tasks},
            "arms": {task.name: asdict(ArmId.of(self.arm_of(task))) for task in self.tasks},
            "mixed": self.mixed(),
            "entrants": {e.label: e.origin() for e in entrants(self.improvers) if e.origin()},
            **self._benchmark(),
        }

    def _benchmark(self) -> dict[str, Any]:
        name = PRESETS[self.preset].frozen if self.preset in PRESETS and self.has_command else ""
        return {"benchmark": identity(name)} if name else {}


@functools.cache
def all_versions() -> Mapping[str, str]:
    """Return the versions of everything that rows may depend on."""
    found = {"python": platform.python_version(), **versions("scipy", "mujoco")}
    for name in OPTIONAL:
        with contextlib.suppress(PackageNotFoundError):
            found[name] = version(name)
    return MappingProxyType(found)  # looked up once: reading them takes as long as two rollouts


def _once(what: str, names: Sequence[str]) -> None:
    if not names:
        text = f"a benchmark needs at least one {what}"
        raise invalid(text, what, (), kind=Kind.MISSING)
    for name in names:
        if names.count(name) > 1:
            text = f"{what} {name!r} is given more than once"
            raise invalid(text, what, name, kind=Kind.DUPLICATE)
