"""Plan of a data set: label, sizes, seed, and the sources of physics and goals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, invalid
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array
from icpi_ros.tasks.base import Task
from icpi_ros.tasks.belief import Belief

LABELS = ("brute", "hindsight")
PHYSICS = ("train", "shifted")
GLOBAL_SAMPLES = 256
"""Quasi-random rollouts per physics sample of a brute-force search; examples are among them."""
VARIED_GOALS = 5
"""Goals per physics sample unless asked for, where the task's goal varies."""
MAX_NOISE = 2.0
PHYSICS_FILE = "physics.yaml"
"""Name of the file of calibrated physics in a command; its content is in the provenance."""
Ranges = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class DatasetPlan:
    """Plan of a build; the same plan of the same task gives the same data set.

    Attributes:
        label: ``brute`` (search in simulation) or ``hindsight`` (relabelled executions).
        examples: number of triplets in all.
        draws: number of physics samples, each with its share of the examples.
        goals_per_draw: of brute-force labels; None = 1 for a fixed goal, else 5.
        label_noise: standard deviation of white noise on dtheta, as a share of the half-range of
            each parameter; for sensitivity studies.
        physics: ``train`` (the documented range) or ``shifted`` (the wider one).
        physics_range: narrower ranges of single physics parameters, by name.
        goal_range: narrower ranges of single goal coordinates, by name.
        seed: of physics, goals, thetas, noise and choice of examples.
        around: calibrated physics that is sampled around, as wide as it is uncertain;
            None = the whole range.
    """

    label: str = "brute"
    examples: int = 300
    draws: int = 30
    goals_per_draw: int | None = None
    label_noise: float = 0.0
    physics: str = "train"
    physics_range: Ranges = field(default_factory=dict)
    goal_range: Ranges = field(default_factory=dict)
    seed: int = 0
    around: Belief | None = None

    def __post_init__(self) -> None:
        _one_of("label", self.label, LABELS)
        _one_of("physics", self.physics, PHYSICS)
        if not 1 <= self.draws <= self.examples:
            raise invalid(
                f"draws = {self.draws} does not fit examples = {self.examples}: "
                "allowed are 1 to the number of examples",
                "draws",
                self.draws,
                (1, self.examples),
            )
        if not (math.isfinite(self.label_noise) and 0.0 <= self.label_noise <= MAX_NOISE):
            noise = self.label_noise
            text = f"label noise = {noise!r} of the half-range: allowed 0 to {MAX_NOISE:g}"
            raise invalid(text, "label_noise", noise, (0.0, MAX_NOISE))
        if self.label == "hindsight" and (self.goals_per_draw is not None or self.goal_range):
            raise InvalidValue(
                "goals per draw and goal ranges are for brute-force labels: with hindsight every "
                "goal is the outcome of an execution"
            )
        if self.around and (self.physics != "train" or self.physics_range):
            raise InvalidValue(
                "physics from a file are drawn around its estimate: leave out --physics and "
                "--physics-range"
            )
        if self.label == "brute" and self.examples > self.draws * GLOBAL_SAMPLES:
            most = self.draws * GLOBAL_SAMPLES
            text = (
                f"{self.draws} draws give at most {most} examples, not {self.examples}: raise draws"
            )
            raise invalid(text, "examples", self.examples, (1, most))

    def counts(self) -> list[int]:
        """Return the number of examples of each physics sample."""
        share, rest = divmod(self.examples, self.draws)
        return [share + (draw < rest) for draw in range(self.draws)]

    def rng(self, draw: int, *stream: int) -> np.random.Generator:
        """Return the generator of one physics sample; ``stream`` names an independent one of it."""
        return np.random.default_rng([self.seed, draw, *stream])

    def goals(self, task: Task) -> int:
        """Return the number of goals of each physics sample of a brute-force search."""
        if self.goals_per_draw is not None:
            return self.goals_per_draw
        return 1 if self._goal_is_fixed(task) else VARIED_GOALS

    def check(self, task: Task, k: int) -> None:
        """Check the plan against a task and the ``k`` examples that improvers retrieve.

        Raises:
            InvalidValue: names the option, the value and what is allowed.
        """
        if self.examples < k:
            raise invalid(
                f"examples = {self.examples} is fewer than the k = {k} neighbours that improvers "
                "retrieve: build more examples, or lower k",
                "examples",
                self.examples,
                (k, math.inf),
            )
        check_ranges(self.physics_range, self._physics_space(task))
        check_ranges(self.goal_range, task.goal_space)
        if self.around:
            self.around.check(task)
        if self.label == "hindsight":
            return
        most = min(self.counts())
        if not 1 <= self.goals(task) <= most:
            goals = self.goals(task)
            text = f"goals per draw = {goals}: allowed 1 to {most}, the examples per draw"
            raise invalid(text, "goals_per_draw", goals, (1, most))
        if self.goals(task) > 1 and self._goal_is_fixed(task):
            text = f"task {task.name} has one fixed goal: goals per draw must be 1"
            raise invalid(text, "goals_per_draw", self.goals(task), (1, 1))

    def sample_physics(self, task: Task, rng: np.random.Generator) -> Array:
        """Return a sample of the hidden physics ``(P,)``."""
        if self.around:
            return self.around.sample(task.physics_space, rng)
        shifted = self.physics == "shifted"
        physics = task.sample_shifted(rng) if shifted else task.sample_physics(rng)
        return _redraw(physics, self.physics_range, self._physics_space(task), rng)

    def sample_goals(self, task: Task, rng: np.random.Generator) -> Array:
        """Return sampled goals ``(G, g)`` of one physics sample."""
        goals = [task.sample_goal(rng) for _ in range(self.goals(task))]
        return np.stack([_redraw(g, self.goal_range, task.goal_space, rng) for g in goals])

    def as_dict(self, task: Task) -> dict[str, Any]:
        """Return the plan as JSON types, defaults filled in."""
        values = asdict(self) | {"goals_per_draw": None}
        del values["around"]
        if self.around:
            values["around"] = self.around.as_dict()
        if self.label == "brute":
            values["goals_per_draw"] = self.goals(task)
        for name in ("physics_range", "goal_range"):
            values[name] = {key: list(span) for key, span in getattr(self, name).items()}
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> DatasetPlan:
        """Inverse of :meth:`as_dict`; other entries, such as a provenance has, are left out.

        Raises:
            KeyError, TypeError, ValueError, AttributeError, InvalidValue: it is not of a plan.
        """
        known: dict[str, Any] = {
            each.name: values[each.name] for each in fields(cls) if each.name != "around"
        }
        for name in ("physics_range", "goal_range"):
            known[name] = {key: (low, high) for key, (low, high) in known[name].items()}
        around = values.get("around")
        return cls(**known, around=Belief.from_dict(around) if around else None)

    def command(self, task: Task) -> str:
        """Return the command that builds this data set, without what does not change it."""
        parts = [f"icpi dataset build --task {task.name} --label {self.label}"]
        parts.append(f"--examples {self.examples} --draws {self.draws} --seed {self.seed}")
        if self.label == "brute":
            parts.append(f"--goals-per-draw {self.goals(task)}")
        parts.append(f"--label-noise {_shortest(self.label_noise)} --physics {self.physics}")
        for option, ranges in (("physics", self.physics_range), ("goal", self.goal_range)):
            parts += [f"--{option}-range {n}={a!r}:{b!r}" for n, (a, b) in sorted(ranges.items())]
        if self.around:
            parts.append(f"--physics-file {PHYSICS_FILE}")
        return " ".join(parts)

    def _physics_space(self, task: Task) -> ParameterSpace:
        return task.shifted_space if self.physics == "shifted" else task.physics_space

    def _goal_is_fixed(self, task: Task) -> bool:
        if self.goal_range:
            return False
        first, second = (task.sample_goal(np.random.default_rng(seed)) for seed in (0, 1))
        return np.array_equal(first, second)


def check_ranges(ranges: Ranges, space: ParameterSpace) -> None:
    """Check narrower ranges against a documented space.

    Raises:
        InvalidValue: unknown name, not finite, reversed, or outside; names what is allowed.
    """
    for name, (low, high) in ranges.items():
        if name not in space.names:
            text = f"{space.label} has no {name!r}: it has {', '.join(space.names)}"
            raise invalid(text, space.label, name, space.names, kind=Kind.UNKNOWN_NAME)
        p = space.parameters[space.names.index(name)]
        limit = (p.lower, p.upper)
        what = f"{space.label} range {name} = {low:g} to {p.text(high, 6)}"
        if not (math.isfinite(low) and math.isfinite(high)):
            text = f"{what} is not finite: allowed {p.lower:g} to {p.upper:g}"
            raise invalid(text, name, (low, high), limit, kind=Kind.NOT_FINITE, unit=p.unit)
        if low > high:
            text = f"{what} is empty: the lower end must not be above the upper end"
            raise invalid(text, name, (low, high), limit, unit=p.unit)
        if low < p.lower or high > p.upper:
            text = f"{what} is outside the documented range: allowed {p.lower:g} to {p.upper:g}"
            raise invalid(text, name, (low, high), limit, unit=p.unit)


def _redraw(
    values: Array, ranges: Ranges, space: ParameterSpace, rng: np.random.Generator
) -> Array:
    """Sample the components that have a range of their own anew, in the order of the space."""
    for index, name in enumerate(space.names):
        if name in ranges:
            values[index] = rng.uniform(*ranges[name])
    return values


def _one_of(what: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        text = f"unknown {what} {value!r}: choose one of {', '.join(allowed)}"
        raise invalid(text, what, value, allowed, kind=Kind.UNKNOWN_NAME)


def _shortest(value: float) -> str:
    """Return the shortest text that gives ``value`` back."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
