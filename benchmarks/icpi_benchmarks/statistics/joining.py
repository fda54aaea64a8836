"""Several results files of the same instances as one: their improvers stand in one table.

Rows may be compared if instance by instance physics, goal, first theta and first outcome are the
same, and examples, arms, definitions and conditions have the same hashes or values.  Time
limits may differ where no proposal took longer than the shortest: each file has the rows that it
would have with that one.  Versions of packages may differ: they do not make an instance another
one; which file has which is kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

from icpi_benchmarks.contest.conditions import PRESETS, REFERENCE, Condition
from icpi_benchmarks.results import Results
from icpi_ros.core.errors import InvalidValue

SAME = ("preset", "benchmark", "seed", "instances", "trials", "threshold_m", "substitute")
"""Keys of ``config`` that must be equal."""
MAPS = {
    "definitions": "definition of the task",
    "arms": "arm of the task",
    "datasets": "data set (task/condition)",
    "paths_fingerprint": "paths of the data set (task/condition)",
}
"""Keys of ``config`` whose entries of the same name must be equal, and what an entry is."""
TOLERANCE = 1e-9
"""Largest difference of two physics, goals or thetas, relative."""
OUTCOME_TOLERANCE = 1e-5
"""Largest difference of two first outcomes [m]: what another processor's last bits make of them."""
MAX_OTHER = 0.01
"""Share of first outcomes that contact may carry further than that."""

File = tuple[Path, Results]
_Place = tuple[str, str]


@dataclass(frozen=True)
class Lineup:
    """Improvers of one condition and task."""

    condition: str
    task: str
    improvers: tuple[str, ...]


def played(config: Mapping[str, Any]) -> list[Lineup]:
    """Return the improvers of each condition and task, in the order of the run."""
    named = config.get("played")
    if isinstance(named, list):
        return [Lineup(one["condition"], one["task"], tuple(one["improvers"])) for one in named]
    found = []
    for condition in config["conditions"]:
        who = Condition(improvers=tuple(condition.get("improvers", ())))
        players = who.players(config["improvers"])
        found += [Lineup(condition["name"], task, players) for task in config["tasks"]]
    return found


def why_not_paired(files: Sequence[File]) -> str:
    """Return in one line why results files are not of the same instances; "" if they are."""
    (first, results), *others = files
    for path, other in others:
        for reason in _differences(results, other):
            return f"{first} and {path} are not of the same instances: {reason}"
    return _over_time(files)


def why_not(files: Sequence[File]) -> str:
    """Return in one line why results files cannot be shown in one table; "" if they can."""
    return why_not_paired(files) or next(chain(_twice(files), _other_versions(files)), "")


def joined(files: Sequence[File]) -> Results:
    """Return several results as one, improvers in the order of their preset.

    Raises:
        InvalidValue: they are not of the same instances, or have rows of one improver twice.
    """
    if len(files) == 1:
        return files[0][1]
    if reason := why_not(files):
        raise InvalidValue(reason)
    configs = [results.config for _, results in files]
    improvers = _ordered(configs)
    tasks = _union(configs, "tasks")
    conditions = _conditions(configs)
    named = PRESETS[configs[0]["preset"]].reference if configs[0]["preset"] in PRESETS else ""
    default = next((label for label in (named, REFERENCE) if label in improvers), improvers[0])
    config = dict(configs[0]) | {
        "command": " && ".join(c["command"] for c in configs if c["command"]),
        "tasks": tasks,
        "improvers": improvers,
        "conditions": conditions,
        "default": default,
        "time_limit": min(c["time_limit"] for c in configs),
        "rivals": _merged(configs, "rivals"),
        "files": [_origin(path, results.config) for path, results in files],
        **{name: _merged(configs, name) for name in (*MAPS, "mixed", "entrants")},
        "played": _played(configs, conditions, tasks, improvers),
    }
    instances = {
        (one["condition"], one["task"], one["instance"]): one
        for _, results in files
        for one in results.instances
    }
    rows = [row for _, results in files for row in results.rows]
    return Results(config, list(instances.values()), rows)


# --- inside -------------------------------------------------------------------------------------


def _differences(one: Results, other: Results) -> Iterator[str]:
    """Yield what keeps two results from being of the same instances."""
    for name in SAME:
        here, there = one.config.get(name), other.config.get(name)
        if here != there:
            yield f"{name} is {_short(here)} in one, {_short(there)} in the other"
    for name, what in MAPS.items():
        ours, theirs = _map(one.config, name), _map(other.config, name)
        for key in ours:
            if key in theirs and ours[key] != theirs[key]:
                here, there = _short(ours[key]), _short(theirs[key])
                yield f"{what} {key} is {here} in one, {there} in the other"
    for ours in one.config["conditions"]:
        for theirs in other.config["conditions"]:
            if ours["name"] == theirs["name"] and _circumstances(ours) != _circumstances(theirs):
                yield f"condition {ours['name'] or 'plain'!r} differs"
    yield from _other_instances(one, other)
    yield from _other_outcomes(one, other)


def _over_time(files: Sequence[File]) -> str:
    """Return in one line which file had time for a proposal that another would not; "" if none."""
    limits = [float(results.config["time_limit"]) for _, results in files]
    shortest = min(limits)
    if shortest == max(limits):
        return ""
    other = files[limits.index(shortest)][0]
    for (path, results), limit in zip(files, limits, strict=True):
        if limit == shortest:
            continue
        count = sum((row["seconds"] or 0.0) >= shortest for row in results.rows)
        if count:
            return (
                f"{count} proposals of {path}, time_limit {limit:g} s, took {shortest:g} s or "
                f"more, the time_limit of {other}: measure with one time limit"
            )
    return ""


def _circumstances(condition: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a condition is but for who takes part; older files lack newer keys."""
    usual = Condition().as_dict()
    return {key: value for key, value in (usual | dict(condition)).items() if key != "improvers"}


def _map(config: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a map of ``config``; empty where it is none, as in older files."""
    found = config.get(name)
    return found if isinstance(found, Mapping) else {}


def _short(value: Any) -> str:
    if isinstance(value, Mapping):
        return " ".join(str(part) for part in value.values())
    return "not there" if value is None else repr(value)


def _other_instances(one: Results, other: Results) -> Iterator[str]:
    ours = {(e["task"], e["condition"], e["instance"]): e for e in one.instances}
    for entry in other.instances:
        known = ours.get((entry["task"], entry["condition"], entry["instance"]))
        for name in ("physics", "goal", "theta", "walk"):
            if known and not _close(known.get(name), entry.get(name)):
                yield f"{name} of instance {entry['instance']} of {entry['task']} differs"


def _other_outcomes(one: Results, other: Results) -> Iterator[str]:
    """Yield tasks whose common first attempts came out otherwise: another scene, or another arm."""
    ours, shared = _first_costs(one), dict[str, list[bool]]()
    for key, cost in _first_costs(other).items():
        if key in ours:
            close = bool(np.isclose(ours[key], cost, 0.0, OUTCOME_TOLERANCE, equal_nan=True))
            shared.setdefault(key[1], []).append(close)
    for task, flags in shared.items():
        if (count := flags.count(False)) > MAX_OTHER * len(flags):
            yield f"{count} of {len(flags)} first attempts at {task} have another outcome"


def _first_costs(results: Results) -> dict[tuple[str, str, int], float]:
    return {
        (row["condition"] or "", row["task"], row["instance"]): (
            float("nan") if row["best_cost"] is None else row["best_cost"]
        )
        for row in results.rows
        if row["trial"] == 0
    }


def _close(one: Any, other: Any) -> bool:
    try:
        a, b = np.atleast_1d(np.array(one, float)), np.atleast_1d(np.array(other, float))
    except (TypeError, ValueError):  # no numbers
        return bool(one == other)
    return a.shape == b.shape and bool(np.allclose(a, b, TOLERANCE, 1e-12, equal_nan=True))


def _twice(files: Sequence[File]) -> Iterator[str]:
    seen: dict[tuple[str, str, str], Path] = {}
    for path, results in files:
        for one in played(results.config):
            for label in one.improvers:
                key = (one.condition, one.task, label)
                if key in seen:
                    where = f"{one.task}, {one.condition}" if one.condition else one.task
                    yield f"{seen[key]} and {path} cannot be joined: both have {label} on {where}"
                seen[key] = path


def _other_versions(files: Sequence[File]) -> Iterator[str]:
    """Yield improvers from outside of which two files have different versions."""
    known: dict[str, tuple[Path, Any]] = {}
    for path, results in files:
        for label, origin in _map(results.config, "entrants").items():
            first, before = known.setdefault(label, (path, origin))
            if before != origin:
                yield f"{first} and {path} cannot be joined: {label} is of different plug-in files"


def _ordered(configs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return all improvers: those of the preset in its order, then the others."""
    labels = _union(configs, "improvers")
    preset = PRESETS.get(configs[0]["preset"])
    order = [label for label in preset.improvers if label in labels] if preset else []
    return list(dict.fromkeys([*order, *labels]))


def _union(configs: Sequence[Mapping[str, Any]], name: str) -> list[str]:
    return list(dict.fromkeys(value for config in configs for value in config[name]))


def _conditions(configs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return all conditions, those of the preset in its order; who plays stands in ``played``."""
    found = {c["name"]: dict(c) for config in configs for c in config["conditions"]}
    preset = PRESETS.get(configs[0]["preset"])
    order = [c.name for c in preset.conditions if c.name in found] if preset else []
    return [found[name] for name in dict.fromkeys([*order, *found])]


def _merged(configs: Sequence[Mapping[str, Any]], name: str) -> dict[str, Any]:
    return {key: value for config in configs for key, value in _map(config, name).items()}


def _played(
    configs: Sequence[Mapping[str, Any]],
    conditions: Sequence[Mapping[str, Any]],
    tasks: Sequence[str],
    improvers: Sequence[str],
) -> list[dict[str, Any]]:
    who: dict[_Place, set[str]] = {}
    for config in configs:
        for one in played(config):
            who.setdefault((one.condition, one.task), set()).update(one.improvers)
    return [
        {
            "condition": place[0],
            "task": place[1],
            "improvers": [label for label in improvers if label in who[place]],
        }
        for place in ((c["name"], task) for c in conditions for task in tasks)
        if who.get(place)
    ]


def _origin(path: Path, config: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "file": path.name,
        "command": config["command"],
        "improvers": list(config["improvers"]),
        "versions": dict(config["versions"]),
    }
