"""Rows of a benchmark as arrays: one block per condition and task, paired over instances."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icpi_benchmarks.results import Results, is_own_step
from icpi_benchmarks.statistics.joining import played
from icpi_benchmarks.statistics.model_use import ModelUse, model_use
from icpi_ros.core.errors import InvalidValue, Kind, invalid
from icpi_ros.core.types import Array

Flags = NDArray[np.bool_]
Row = Mapping[str, Any]

_TEXT, _WHOLE, _NUMBER = (
    (str, "a text"),
    (int, "a whole number from 0"),
    (int | float | None, "a number or null"),
)
_CONFIG: tuple[tuple[str, Any, str], ...] = (
    *((name, *_WHOLE) for name in ("seed", "instances", "trials")),
    *((name, int | float, "a number") for name in ("threshold_m", "time_limit")),
    *((name, list, "a list") for name in ("tasks", "improvers", "conditions")),
    *((name, dict, "an object") for name in ("versions", "definitions", "datasets")),
    ("default", *_TEXT),
)
_ROW: tuple[tuple[str, Any, str], ...] = (
    ("condition", str | None, "a text or null"),
    ("task", *_TEXT),
    ("improver", *_TEXT),
    ("instance", *_WHOLE),
    ("trial", *_WHOLE),
    *(
        (name, *_NUMBER)
        for name in ("cost", "best_cost", "seconds", "predicted_cost", "predicted_std")
    ),
)
_INSTANCE: tuple[tuple[str, Any, str], ...] = (
    ("condition", str | None, "a text or null"),
    ("task", *_TEXT),
    ("instance", *_WHOLE),
)


@dataclass(frozen=True)
class ResultBlock:
    """All rows of one condition and task; axes (improver i, instance n, trial t).

    Attributes:
        condition: name of the condition; the plain one has none.
        task: name.
        improvers: labels, in the order of the run.
        instances: numbers of the instances, those without a first outcome left out.
        left_out: numbers of the instances whose first attempt failed, for all improvers alike.
        best: ``(I, N, T)`` true cost of the best trial so far [m], finite.
        cost: ``(I, N, T)`` true cost of the trial [m]; NaN = it failed.
        seconds: ``(I, N, T)`` wall time of the proposal [s]; NaN = not known.
        predicted: ``(I, N, T)`` predicted cost [m]; NaN = no prediction.
        predicted_std: ``(I, N, T)`` predicted standard deviation [m]; NaN = unknown.
        failures: ``(I, N, T)`` reason of a failed trial, of a refusal its kind; "" = none failed.
        fallbacks: ``(I, N, T)`` reason why another improver proposed; "" = none did.
        own: ``(I, N, T)`` True where the improver itself proposed an adjustment.
        use: of their models, by label of those that asked one.
    """

    condition: str
    task: str
    improvers: tuple[str, ...]
    instances: tuple[int, ...]
    left_out: tuple[int, ...]
    best: Array
    cost: Array
    seconds: Array
    predicted: Array
    predicted_std: Array
    failures: NDArray[np.object_]
    fallbacks: NDArray[np.object_]
    own: Flags
    use: Mapping[str, ModelUse]

    @property
    def trials(self) -> int:
        """Number of trials, the first attempt included."""
        return int(self.best.shape[2])

    @property
    def failed(self) -> Flags:
        """``(I, N, T)`` True where a trial failed."""
        return np.asarray(self.failures != "", dtype=bool)

    @property
    def fell_back(self) -> Flags:
        """``(I, N, T)`` True where another improver proposed."""
        return np.asarray(self.fallbacks != "", dtype=bool)

    def row_of(self, improver: str) -> int:
        """Return the place of an improver on the first axis.

        Raises:
            InvalidValue: it has no rows here.
        """
        if improver not in self.improvers:
            known = ", ".join(self.improvers)
            text = f"no rows of {improver!r} in {self.where}: choose one of {known}"
            limit = tuple(self.improvers)
            raise invalid(text, "improver", improver, limit, kind=Kind.UNKNOWN_NAME)
        return self.improvers.index(improver)

    @property
    def own_improved(self) -> Flags:
        """``(I, N, T)`` True where such an adjustment cost less than all trials before it."""
        found = np.zeros_like(self.own)
        found[:, :, 1:] = self.own[:, :, 1:] & (self.cost[:, :, 1:] < self.best[:, :, :-1])
        return found

    @property
    def where(self) -> str:
        """Condition and task in words, for messages."""
        return _where(self.condition, self.task)


def blocks(results: Results) -> list[ResultBlock]:
    """Return one block per condition and task that has rows, in the order of the run.

    Raises:
        InvalidValue: the rows are not those that ``config`` asks for: one is missing, there twice
            or of something else, or a best cost is missing after the first trial.
    """
    check(results)
    groups: dict[tuple[str, str], list[Row]] = {}
    for row in results.rows:
        groups.setdefault((row.get("condition") or "", row["task"]), []).append(row)
    keys = [(one.condition, one.task) for one in played(results.config)]
    for key in (*keys, *groups):
        if key not in groups or key not in keys:
            fault = "has no rows" if key in keys else "has rows, but is not in config"
            raise InvalidValue(f"{_where(*key)} {fault}: run the benchmark again")
    return [_block(key, groups[key], results.config) for key in keys]


def block(results: Results, task: str, condition: str = "") -> ResultBlock:
    """Return the block of one condition and task.

    Raises:
        InvalidValue: there is none, or it is not paired.
    """
    check(results)
    rows = [
        row
        for row in results.rows
        if row["task"] == task and (row.get("condition") or "") == condition
    ]
    if not rows:
        found = sorted({(row["task"], row.get("condition") or "") for row in results.rows})
        names = ", ".join(f"{name} ({where})" if where else name for name, where in found)
        raise InvalidValue(f"no rows of task {task!r}, condition {condition!r}: there are {names}")
    return _block((condition, task), rows, results.config)


def check(results: Results) -> None:
    """Check the types of the values that a summary and a report are made of.

    Raises:
        InvalidValue: there are no rows, or something is not what it should be.
    """
    for name, kinds, wanted in _CONFIG:
        _require(results.config.get(name), kinds, wanted, f"config: {name}")
    for condition in results.config["conditions"]:
        label = condition.get("name") if isinstance(condition, dict) else None
        _require(label, *_TEXT, "config: name of a condition")
        _require(condition.get("improvers", []), list, "a list", f"config: {label}: improvers")
    for label in (*results.config["tasks"], *results.config["improvers"]):
        _require(label, *_TEXT, "config: name of a task or improver")
    _check_played(results.config.get("played"))
    for index, entry in enumerate(results.instances):
        for name, kinds, wanted in _INSTANCE:
            _require(entry.get(name), kinds, wanted, f"instances[{index}]: {name}")
    if not results.rows:
        raise InvalidValue("the results have no rows: run the benchmark again")
    for index, row in enumerate(results.rows):
        for name, kinds, wanted in _ROW:
            value = row.get(name)
            if not isinstance(value, kinds) or (kinds is int and value < 0):
                _require(value, kinds, wanted, f"rows[{index}]: {name}")


def _check_played(found: object) -> None:
    """Check who played where in a file of joined results; others have no such list."""
    if not isinstance(found, list):
        return
    for one in found:
        _require(one, dict, "an object", "config: played")
        for name in ("condition", "task"):
            _require(one.get(name), *_TEXT, f"config: played: {name}")
        _require(one.get("improvers"), list, "a list", "config: played: improvers")
        for label in one["improvers"]:
            _require(label, *_TEXT, "config: played: name of an improver")


def _require(value: object, kinds: Any, wanted: str, where: str) -> None:
    if not isinstance(value, kinds) or (kinds is int and int(str(value)) < 0):
        raise InvalidValue(
            f"{where} = {value!r} is not {wanted}: the results are damaged, run the benchmark again"
        )


def _where(condition: str, task: str) -> str:
    return f"task {task}" + (f", condition {condition}" if condition else "")


def _block(key: tuple[str, str], rows: Sequence[Row], config: Mapping[str, Any]) -> ResultBlock:
    """Put rows in their places and check that they are the ones that ``config`` asks for."""
    condition, task = key
    there = (one.improvers for one in played(config) if (one.condition, one.task) == key)
    improvers = next(there, ())
    shape = (len(improvers), config["instances"], config["trials"])
    where = _where(condition, task)
    if len(rows) != prod(shape):
        raise InvalidValue(
            f"{where}: {len(rows)} rows, but {shape[0]} improvers on {shape[1]} instances in "
            f"{shape[2]} trials need {prod(shape)}: run the benchmark again"
        )
    place_i = {label: i for i, label in enumerate(improvers)}
    for row in rows:
        place = (row["improver"], row["instance"], row["trial"])
        if place[0] not in place_i or place[1] >= shape[1] or place[2] >= shape[2]:
            raise InvalidValue(
                f"{where}: a row of improver {place[0]!r}, instance {place[1]}, trial {place[2]} "
                "is not one that config asks for: run the benchmark again"
            )
    index = np.array([(place_i[r["improver"]], r["instance"], r["trial"]) for r in rows])
    flat = np.ravel_multi_index((index[:, 0], index[:, 1], index[:, 2]), shape)
    if len(np.unique(flat)) != len(rows):
        raise InvalidValue(f"{where}: a row is there twice, another is missing")

    def numbers(name: str) -> Array:
        filled = np.empty(len(rows))
        filled[flat] = [np.nan if row.get(name) is None else row[name] for row in rows]
        return filled.reshape(shape)

    def texts(of: Callable[[Row], str | bool]) -> NDArray[np.object_]:
        filled = np.empty(len(rows), dtype=object)
        filled[flat] = [of(row) for row in rows]
        return filled.reshape(shape)

    best = numbers("best_cost")
    kept = _with_first_outcome(best, where)
    numbers_of = np.arange(shape[1])
    return ResultBlock(
        condition=condition,
        task=task,
        improvers=improvers,
        instances=tuple(numbers_of[kept].tolist()),
        left_out=tuple(numbers_of[~kept].tolist()),
        best=best[:, kept],
        cost=numbers("cost")[:, kept],
        seconds=numbers("seconds")[:, kept],
        predicted=numbers("predicted_cost")[:, kept],
        predicted_std=numbers("predicted_std")[:, kept],
        failures=texts(_failure)[:, kept],
        fallbacks=texts(lambda row: str(row.get("fallback_reason") or ""))[:, kept],
        own=texts(is_own_step)[:, kept].astype(np.bool_),
        use=model_use(row for row in rows if kept[row["instance"]]),
    )


def _failure(row: Row) -> str:
    """Return the reason of a failed trial, the same for all refusals of one kind; "" = none.

    Rows of older files have the text alone.
    """
    text, fields = str(row.get("failure") or ""), row.get("refusal")
    if not text or not isinstance(fields, dict):
        return text
    kind, quantity, joint = (str(fields.get(name, "")) for name in ("kind", "quantity", "joint"))
    return f"{kind.replace('_', ' ')}: {quantity}" + (f" of {joint}" if joint else "")


def _with_first_outcome(best: Array, where: str) -> Flags:
    """Return flags of the instances with a first outcome, which all improvers share.

    Raises:
        InvalidValue: some improvers have one and others not, or it is lost later.
    """
    first = np.isfinite(best[:, :, 0])
    kept = first.any(axis=0)
    if not (first.all(axis=0) == kept).all() or not np.isfinite(best[:, kept]).all():
        raise InvalidValue(
            f"{where}: a best cost is missing although the first attempt has one: the file is "
            "damaged, run the benchmark again"
        )
    return np.asarray(kept, dtype=bool)
