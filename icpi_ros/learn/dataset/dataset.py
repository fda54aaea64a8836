"""Data sets of (theta, error, dtheta) examples: the context from which improvers learn."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import DatasetError
from icpi_ros.core.html import table
from icpi_ros.core.plugins import as_options
from icpi_ros.core.space import ParameterSpace
from icpi_ros.core.types import Array, Indices
from icpi_ros.learn.dataset.columns import columns
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.learn.paths import are_path_times, known_paths
from icpi_ros.robots import ARMS
from icpi_ros.tasks import TASKS

if TYPE_CHECKING:
    import pandas

    from icpi_ros.tasks.base import Task

SCHEMA_VERSION = 2
"""Of the files: 1 had no paths."""
EXAMPLES = ("theta", "error", "dtheta", "goal", "cost", "label_cost", "group")
"""Fields with one row per example that every data set has."""
PATHS = ("path", "label_path")
"""Fields with one row per example that are None where no path is known."""
REBUILD_TOLERANCE = 1e-5
"""Largest deviation [unit of the column] of a data set built again on another kind of processor.

There numpy, BLAS and the C library round differently, and contact and the search for labels
amplify it: 5e-7 was measured.  On the same kind, with the same lock file, every bit is the same.
A data set is therefore identified by its file (:func:`fingerprint`), never by a command that
builds it; see docs/reproducibility.md."""
_TRUSTED_SHARE = 0.05
_BOUND_TOLERANCE = 1e-9
"""Share of a range by which theta may lie outside, for rounding."""


@dataclass(frozen=True, repr=False)
class Dataset:
    """``N`` examples of one task.

    Attributes:
        task: name of the task.
        theta: ``(N, d)`` executed policy parameters [units of the task's space].
        error: ``(N, m)`` relative error of the outcome to the example's goal (task.error).
        dtheta: ``(N, d)`` adjustment that the label asks for: theta + dtheta solves the example.
        goal: ``(N, g)`` goal of each example.
        cost: ``(N,)`` cost [m] of the executed theta.
        label_cost: ``(N,)`` cost [m] that theta + dtheta reached under the same physics; NaN
            where it was not measured.
        group: ``(N,)`` int: examples of one physics sample share a number.
        provenance: of the set: command, seed, versions, task definition (JSON-able).
        arms: that executed the examples; empty = unknown, several = mixed on purpose.
        path: ``(N, P, 3)`` places of the object [m], frame ``base``, under theta, as
            :func:`icpi_ros.learn.paths.sample_path` makes them; all NaN where it is unknown.
        label_path: the same under theta + dtheta; None if ``path`` is, and only then.
        path_times: ``(P,)`` times of the places [s]; None if ``path`` is, and only then.
    """

    task: str
    theta: Array
    error: Array
    dtheta: Array
    goal: Array
    cost: Array
    label_cost: Array
    group: Array | Indices
    provenance: Mapping[str, Any] = field(default_factory=dict)
    arms: tuple[ArmId, ...] = ()
    path: Array | None = None
    label_path: Array | None = None
    path_times: Array | None = None

    def __len__(self) -> int:
        return int(self.theta.shape[0])

    def __repr__(self) -> str:
        """Return one line: number of examples, task and arms."""
        arms = " and ".join(arm.name for arm in self.arms) or "an unknown arm"
        return f"<Dataset {self.task}: {len(self)} examples with {arms}>"

    def take(self, rows: NDArray[np.int64 | np.bool_] | slice) -> Dataset:
        """Return the examples ``rows`` (numbers, a mask or a slice), their paths with them."""
        names = EXAMPLES if self.path is None else EXAMPLES + PATHS
        return replace(self, **{name: getattr(self, name)[rows] for name in names})

    def to_pandas(self) -> pandas.DataFrame:
        """Return the examples as a data frame, with the columns of a data set's file.

        Raises:
            UsageError: pandas is not installed.
            UnknownName: the task is not registered.
        """
        from icpi_ros.learn.dataset import parquet  # it imports this module

        return parquet.frame(self, TASKS.get(self.task))

    def _repr_html_(self) -> str:
        """Return the ranges of the columns, for notebooks."""
        vectors = columns(TASKS.get(self.task))
        values = {c.name: getattr(self, c.field)[:, c.index] for c in vectors}
        values |= {"cost": self.cost, "label_cost": self.label_cost}
        rows = [(name, *_range(column)) for name, column in values.items()]
        return table(repr(self).strip("<>"), ("column", "lowest", "mean", "highest"), rows)


def _range(values: Array) -> tuple[str, ...]:
    known = values[np.isfinite(values)]
    if len(known) == 0:
        return ("-", "-", "-")
    return tuple(f"{value:.4g}" for value in (known.min(), known.mean(), known.max()))


def save(dataset: Dataset, path: str | Path, task: Task) -> None:
    """Write a data set as Parquet; see :mod:`icpi_ros.learn.dataset.parquet` for the columns.

    The file is whole or not there at all, and the same content gives the same bytes.

    Raises:
        DatasetError: the examples do not fit the task, or the file cannot be written.
    """
    from icpi_ros.learn.dataset import parquet  # it imports this module

    check(dataset, task, where="the data set")
    parquet.write(dataset, Path(path), task)


def load(path: str | Path, task: Task) -> Dataset:
    """Read a data set of ``task``.

    Raises:
        DatasetError: missing, not Parquet, truncated, of another task, of a newer schema, of
            another definition of the task, or with values that make no sense.
    """
    from icpi_ros.learn.dataset import parquet  # it imports this module

    dataset = parquet.read(Path(path), task)
    check(dataset, task, where=f"data set {path}")
    return dataset


def shipped(task: Task) -> Dataset:
    """Read the data set of ``task`` that comes with the package, or that its file names.

    Raises:
        DatasetError: there is none; the message has the command that builds one.
    """
    path = own_path(task)
    if not path.exists():
        raise DatasetError(
            f"no data set of task {task.name!r} comes with icpi_ros: build one with "
            f"`{_build_command(task.name)}`, and give it with --dataset FILE (a graph: "
            "dataset:=FILE)"
        )
    return load(path, task)


def own_path(task: Task) -> Path:
    """Return the path of a task's own data set, which may not be there: its file's, or shipped."""
    return task.dataset or shipped_path(task.name)


def shipped_path(name: str) -> Path:
    """Return the path of the shipped data set of the task called ``name``."""
    return Path(__file__).parent / "shipped" / f"{name}.parquet"


def trusted_labels(dataset: Dataset) -> NDArray[np.bool_]:
    """Return a mask ``(N,)`` of the labels that are measured to solve their example, nearly.

    A label whose cost was not measured, or is above 5 % of the mean cost, may be wrong.
    """
    return np.asarray(dataset.label_cost <= _TRUSTED_SHARE * float(np.mean(dataset.cost)))


def empty(task: Task) -> Dataset:
    """Return a data set without examples, for improvers that need none."""
    d, m, g = task.space.dim, len(task.error_names), task.goal_space.dim
    return Dataset(
        task=task.name,
        theta=np.empty((0, d)),
        error=np.empty((0, m)),
        dtheta=np.empty((0, d)),
        goal=np.empty((0, g)),
        cost=np.empty(0),
        label_cost=np.empty(0),
        group=np.empty(0, dtype=np.int64),
    )


def freeze(dataset: Dataset) -> None:
    """Make the arrays read-only, for users who share them."""
    for array in vars(dataset).values():
        if isinstance(array, np.ndarray):
            array.setflags(write=False)


def fingerprint(dataset: Dataset) -> str:
    """Return a short hash of the examples (not of the provenance): the identity of a data set.

    Of the stored bits: a rebuild on another kind of processor has another one.  Not of the paths,
    so that a set is the same with and without them: see :func:`paths_fingerprint`.
    """
    digest = hashlib.sha256(dataset.task.encode())
    for array in (dataset.theta, dataset.error, dataset.dtheta, dataset.goal, dataset.cost):
        digest.update(str(array.shape).encode())
        digest.update(np.ascontiguousarray(array, dtype="<f8").tobytes())
    digest.update(np.ascontiguousarray(dataset.group, dtype="<i8").tobytes())
    return digest.hexdigest()[:16]


def paths_fingerprint(dataset: Dataset) -> str:
    """Return a short hash of the paths as they are stored; empty = the set has none."""
    if dataset.path_times is None:
        return ""
    digest = hashlib.sha256(np.ascontiguousarray(dataset.path_times, dtype="<f8").tobytes())
    for array in (dataset.path, dataset.label_path):
        digest.update(np.ascontiguousarray(array, dtype="<f4").tobytes())
    return digest.hexdigest()[:16]


def count_paths(dataset: Dataset) -> dict[str, int]:
    """Return of how many examples, and of how many labels, the object's path is known."""
    found = [getattr(dataset, name) for name in PATHS]
    counts = [0 if one is None else int(known_paths(one).sum()) for one in found]
    return dict(zip(("examples", "labels"), counts, strict=True))


def check_task(dataset: Dataset, task: Task) -> None:
    """Check that a data set belongs to ``task``.

    Raises:
        DatasetError: another task, or arrays of the wrong shape.
    """
    if dataset.task != task.name:
        raise DatasetError(f"the data set is of task {dataset.task!r}, not {task.name!r}")
    n, d, m, g = len(dataset), task.space.dim, len(task.error_names), task.goal_space.dim
    wanted = {"theta": (n, d), "error": (n, m), "dtheta": (n, d), "goal": (n, g)}
    wanted |= {"cost": (n,), "label_cost": (n,), "group": (n,)}  # type: ignore[dict-item]
    for name, shape in wanted.items():
        found = getattr(dataset, name).shape
        if found != shape:
            raise DatasetError(f"{name} of the data set has shape {found}, expected {shape}")
    _check_paths(dataset)


def _check_paths(dataset: Dataset) -> None:
    """Check the shapes of the paths, if there are any, and that their times increase."""
    paths = {name: getattr(dataset, name) for name in (*PATHS, "path_times")}
    missing = [name for name, found in paths.items() if found is None]
    if len(missing) == len(paths):
        return
    if missing:
        raise DatasetError(f"the data set has paths, but no {missing[0]}: give all three, or none")
    times = paths["path_times"]
    if not are_path_times(times):
        raise DatasetError(
            "path_times of the data set are not finite and strictly increasing from 0, two at least"
        )
    for name in PATHS:
        found, shape = paths[name].shape, (len(dataset), len(times), 3)
        if found != shape:
            raise DatasetError(f"{name} of the data set has shape {found}, expected {shape}")


def check(dataset: Dataset, task: Task, where: str) -> None:
    """Check that every example makes sense; ``where`` begins the message.

    Raises:
        DatasetError: no example, a shape that does not fit, a value that is not finite, or theta
            out of bounds; the message names the row (from 0), the column and the value.
    """
    check_task(dataset, task)
    if len(dataset) == 0:
        raise DatasetError(f"{where} holds no example")
    for kind, names in _vectors(task).items():
        for name, values in zip(names, getattr(dataset, kind).T, strict=True):
            _refuse(~np.isfinite(values), values, f"{where}: {kind} {name}", "not finite")
    _refuse(
        ~(np.isfinite(dataset.cost) & (dataset.cost >= 0)),
        dataset.cost,
        f"{where}: cost",
        "not a finite number of metres",
    )
    label = dataset.label_cost
    _refuse(np.isinf(label) | (label < 0), label, f"{where}: label_cost", "not a cost in metres")
    _check_bounds(dataset, task, where)
    for name in PATHS if dataset.path is not None else ():
        paths: Array = getattr(dataset, name)
        part = ~known_paths(paths) & ~np.isnan(paths).all(axis=(1, 2))
        if part.any():
            raise DatasetError(
                f"{where}: {name} in row {np.argmax(part)} is not finite: must be numbers, or "
                "nothing at all"
            )


def check_arm(dataset: Dataset, arm: ArmId, mix: bool = False) -> str:
    """Check that the examples are those of ``arm``; return of which others they are, mixed.

    Args:
        dataset: to be learnt from.
        arm: that executes what is learnt.
        mix: examples of another arm are meant.

    Raises:
        DatasetError: of another arm, and ``mix`` is false; names both.
    """
    others = [str(other) for other in dataset.arms if other.differs(arm)]
    if others and not mix:
        named = arm.name if arm.name in ARMS else "ITS_FILE.yaml"
        raise DatasetError(
            f"the data set is of arm {' and '.join(others)}, not of {arm}: build one with "
            f"`{_build_command(dataset.task, '--arm', named)}` and give it with --dataset FILE "
            "(a graph: dataset:=FILE), or give --mix (a graph: mix:=true) if mixing is meant"
        )
    return " and ".join(others)


def _build_command(task: str, *more: str) -> str:
    """Return the command that builds a data set here, with the plug-ins that are loaded."""
    words = ["icpi", "dataset", "build", *as_options(), "--task", task, *more, "--out", "FILE"]
    return shlex.join(words)


def _vectors(task: Task) -> dict[str, tuple[str, ...]]:
    names = {"theta": task.space.names, "error": task.error_names}
    return names | {"dtheta": task.space.names, "goal": task.goal_space.names}


def _check_bounds(dataset: Dataset, task: Task, where: str) -> None:
    slack = _BOUND_TOLERANCE * task.space.half_range
    outside = (dataset.theta < task.space.lower - slack) | (
        dataset.theta > task.space.upper + slack
    )
    for index, p in enumerate(task.space.parameters):
        _refuse(
            outside[:, index],
            dataset.theta[:, index],
            f"{where}: theta {p.name}",
            f"out of bounds, allowed {p.lower:g} to {p.text(p.upper, 6)}",
        )


def _refuse(bad: NDArray[np.bool_], values: Array, what: str, why: str) -> None:
    """Raise for the first row that is bad ``(N,)`` bool."""
    if bad.any():
        row = int(np.argmax(bad))
        raise DatasetError(f"{what} = {values[row]:.6g} in row {row} is {why}")


CELLS = 8
"""Cells per parameter of the coarse grid."""


def coverage(dataset: Dataset, space: ParameterSpace) -> dict[tuple[str, ...], float]:
    """Return the share of cells of a coarse grid over theta that hold an example, 0 to 1.

    One entry per pair of parameters: the box of the two is cut into 8 x 8 equal cells, all other
    parameters are ignored.  A task with one parameter has one entry, of 8 cells.
    """
    cells = np.floor((space.normalise(dataset.theta) + 1.0) * 0.5 * CELLS)
    cells = np.clip(cells, 0, CELLS - 1).astype(np.int64)
    size = min(2, space.dim)
    return {
        tuple(space.names[i] for i in chosen): _share(cells[:, list(chosen)])
        for chosen in combinations(range(space.dim), size)
    }


def solved_share(dataset: Dataset, space: ParameterSpace) -> float:
    """Return the share of examples whose theta + dtheta lies inside the box, 0 to 1."""
    slack = 1e-9 * space.half_range
    target: Array = dataset.theta + dataset.dtheta
    inside = (target >= space.lower - slack) & (target <= space.upper + slack)
    return float(inside.all(axis=1).mean())


def _share(cells: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> float:
    return len(np.unique(cells, axis=0)) / float(CELLS ** cells.shape[1])
