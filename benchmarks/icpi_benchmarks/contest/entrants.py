"""Entrants of a contest: improvers by name, with options, and the oracles."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from icpi_benchmarks.cassettes.recordings import Recordings
from icpi_benchmarks.contest.conditions import NULLS
from icpi_benchmarks.contest.oracles import ORACLES
from icpi_ros.core.errors import (
    IcpiError,
    InvalidValue,
    Kind,
    UnknownName,
    UsageError,
    invalid,
)
from icpi_ros.core.registry import REMEDY
from icpi_ros.core.types import Array
from icpi_ros.improvers import IMPROVERS
from icpi_ros.improvers.base import Context, Improver
from icpi_ros.improvers.llm.options import HOLD, ShownOptions
from icpi_ros.improvers.llm.plain import Llm
from icpi_ros.improvers.options import options_of, parse_option
from icpi_ros.learn.dataset.dataset import Dataset
from icpi_ros.robots.base import Arm
from icpi_ros.tasks.base import Task

_OPTION = re.compile(r":(?=[a-z_]+=)")
"""Start of an option; the colon of a URL is none."""
_SHOWN = ("k", "features", "examples", "start")
"""Options that say which examples a model is shown."""
SUBSTITUTE = HOLD
"""In a benchmark, a proposal that a model did not make costs it a trial: no other improver's may
count as its own.  The option ``substitute`` of an entrant says otherwise."""
_OURS = ("icpi_ros", "icpi_benchmarks")
TRANSPORT = frozenset(
    {"base_url", "cassette", "cassette_mode", "deadline", "key_variable", "models"}
    | {"max_calls", "max_money", "max_seconds", "max_tokens"}
)
"""Options of the connection to a model, which do not change the question."""


@dataclass(frozen=True)
class Entrant:
    """One improver with its options.

    Attributes:
        label: as written by the user, ``NAME[:KEY=VALUE...]``; its name in results.
        kind: class of the improver.
        options: see :attr:`Context.options`.
        informed: True for an oracle, which receives task, arm and hidden physics.
    """

    label: str
    kind: type[Any]
    options: Mapping[str, Any]
    informed: bool = False

    @property
    def stream(self) -> str:
        """Label without the options in :data:`TRANSPORT`: names its random numbers.

        So a benchmark draws the same ones wherever its cassette lies.
        """
        name, *parts = _OPTION.split(self.label)
        kept = [part for part in parts if part.partition("=")[0] not in TRANSPORT]
        return ":".join([name, *kept])

    def origin(self) -> dict[str, Any]:
        """Return name, options, file and its SHA-256 of an improver from outside; else nothing.

        So that results say which version of it they are of, and whether it receives the hidden
        physics (``informed``).
        """
        module = self.kind.__module__
        if module.partition(".")[0] in _OURS:
            return {}
        file = getattr(sys.modules.get(module), "__file__", None)
        digest = hashlib.sha256(Path(file).read_bytes()).hexdigest() if file else ""
        return {
            "name": self.label.partition(":")[0],
            "options": dict(self.options),
            "file": Path(file).name if file else module,
            "sha256": digest,
            **({"informed": True} if self.informed else {}),
        }

    def using(self, recordings: Recordings | None) -> Entrant:
        """Return it with the model and the cassette that recordings have for it, if it asks one."""
        if recordings is None or not issubclass(self.kind, Llm):
            return self
        return replace(self, options=recordings.options(self.options))

    def takes(self, option: str) -> bool:
        """Return True if a condition can set ``option``: it has it and does not set it itself."""
        return option in options_of(self.kind.Options) and option not in self.options

    def follows(self, option: str, value: Any) -> bool:
        """Return True if it takes an ``option``, and ``value`` is one of its choices there."""
        if not self.takes(option):
            return False
        choices = options_of(self.kind.Options)[option].choices
        return not choices or value in choices

    def under(self, options: Mapping[str, Any]) -> Entrant:
        """Return it under a condition's ``options``: those that it follows."""
        shared = {key: value for key, value in options.items() if self.follows(key, value)}
        return replace(self, options=shared | dict(self.options))

    def build(
        self, task: Task, arm: Arm, goal: Array, physics: Array, dataset: Dataset
    ) -> Improver:
        """Return a new improver for one instance.

        Raises:
            UsageError: it refuses its options or the data set.
        """
        held = {"substitute": SUBSTITUTE} if self.takes("substitute") else {}
        context = Context(task.space, goal, task.cost_mask, dataset, held | dict(self.options))
        extra = (task, arm, physics) if self.informed else ()
        improver: Improver = self.kind(context, *extra)
        return improver


def entrants(labels: Sequence[str]) -> list[Entrant]:
    """Return the improvers that ``labels`` name.

    Raises:
        UnknownName: no such improver or oracle.
        InvalidValue: none, or one or an option of one given twice.
    """
    if not labels:
        raise InvalidValue("a benchmark needs at least one improver")
    for label in labels:
        if labels.count(label) > 1:
            name = label.split(":")[0]  # an option may hold a key
            text = f"improver {name!r} is given more than once"
            raise invalid(text, "improver", name, kind=Kind.DUPLICATE)
    return [_entrant(label) for label in labels]


def with_nulls(labels: Sequence[str], recordings: Recordings | None = None) -> tuple[str, ...]:
    """Return ``labels`` and the nulls of those that ask a model, with the same k and features."""
    found = list(labels)
    for entrant in entrants(labels):
        found += nulls_of(entrant.using(recordings))
    return tuple(dict.fromkeys(found))


def nulls_of(entrant: Entrant) -> tuple[str, ...]:
    """Return the nulls of an entrant, none if it asks no model.

    Nulls share what an entrant, or a small model, has other defaults of.
    """
    if not entrant.kind.asks_model:
        return ()
    known = options_of(entrant.kind.Options)
    shown = {key: entrant.options[key] for key in _SHOWN if key in entrant.options}
    with contextlib.suppress(UsageError):  # a wrong option is refused elsewhere
        chosen = entrant.kind.chosen(entrant.options)
        for key, usual in options_of(ShownOptions).items():
            if key in known and getattr(chosen, key) != usual.default:
                shown.setdefault(key, getattr(chosen, key))
    own = [f"{key}={shown[key]}" for key in _SHOWN if key in shown]
    return tuple(":".join([null, *own]) for null in NULLS)


def without(option: str, value: Any, labels: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``labels`` that do not follow a condition's ``option``.

    Unknown ones, as in results of another version, are left out.
    """
    found = []
    for label in labels:
        with contextlib.suppress(IcpiError):
            if not _entrant(label).follows(option, value):
                found.append(label)
    return tuple(found)


def with_option(option: str, labels: Sequence[str]) -> tuple[str, ...]:
    """Return those of ``labels`` whose improver has an option; unknown ones are left out."""
    found = []
    for label in labels:
        with contextlib.suppress(IcpiError):
            if option in options_of(_entrant(label).kind.Options):
                found.append(label)
    return tuple(found)


def _entrant(label: str) -> Entrant:
    name, *parts = _OPTION.split(label)
    keys = [part.partition("=")[0] for part in parts]
    for key in keys:
        if keys.count(key) > 1:
            text = f"improver {name!r}: option {key!r} is given more than once"
            raise invalid(text, f"options.{key}", key, kind=Kind.DUPLICATE)
    options = dict(map(parse_option, parts))
    if name in IMPROVERS:
        return Entrant(label, IMPROVERS.get(name), options)
    if name in ORACLES:
        return Entrant(label, ORACLES.get(name), options, informed=True)
    raise UnknownName("improver", name, [*IMPROVERS, *ORACLES], REMEDY)


def option_text(key: str, value: str) -> str:
    """Return an option as it is written in a label, so that it is read back as this text.

    Raises:
        InvalidValue: the text holds what would begin another option.
    """
    written = f"{key}={value}"
    if len(_OPTION.split(written)) > 1:
        raise InvalidValue(f"{key} must not hold ':', a word in small letters, and '=' in a row")
    return written if parse_option(written)[1] == value else f"{key}={json.dumps(value)}"
