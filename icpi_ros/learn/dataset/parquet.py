"""Data sets as Parquet files that pandas, polars and DuckDB read directly.

One row per example; flat columns ``theta_<name>``, ``error_<name>``, ``dtheta_<name>``,
``goal_<name>`` (float64, SI), ``cost``, ``label_cost`` [m] and ``group`` (int64), and the object's
paths (:mod:`icpi_ros.learn.dataset.path_columns`); of files by others see
:mod:`icpi_ros.learn.dataset.cells`.  The file's key-value metadata, all text:

    icpi.schema_version   of this layout
    icpi.task             name of the task
    icpi.definition       JSON of Task.definition()
    icpi.definition_hash  Task.definition_hash()
    icpi.units            JSON, column to unit
    icpi.provenance       JSON: origin of the examples
    icpi.arms             JSON: name and hash of the arms that executed them; left out = unknown
    icpi.path_times       JSON: times of the places of a path [s]; left out = there are no paths

The unit is also in the metadata of each column.  pyarrow is imported at the first call only.
"""

from __future__ import annotations

import base64
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.errors import DatasetError, UsageError
from icpi_ros.core.files import replacing, require_regular
from icpi_ros.core.redact import Json, jsonable
from icpi_ros.core.text import printable
from icpi_ros.core.types import Array
from icpi_ros.learn.dataset import cells, path_columns
from icpi_ros.learn.dataset.columns import columns
from icpi_ros.learn.dataset.dataset import SCHEMA_VERSION, Dataset
from icpi_ros.learn.dataset.execution import UNKNOWN
from icpi_ros.learn.dataset.mixing import ArmId
from icpi_ros.tasks.base import Task

if TYPE_CHECKING:
    import pandas

PREFIX = "icpi."
ARMS = f"{PREFIX}arms"
PATHLESS = 1
"""Schema version of a file without paths: older versions of icpi_ros read it, too."""
_VERIFY = {"page_checksum_verification": True}
_SCALARS = ("cost", "label_cost")
GROUP = "group"
MAX_EXAMPLES = 5_000_000
MAX_UNPACKED = 2**31
"""Largest size of all columns together, unpacked [B]."""
_MAX_NAMES = 30


def frame(dataset: Dataset, task: Task) -> pandas.DataFrame:
    """Return a data set as a data frame of pandas, with the columns of its file.

    Raises:
        UsageError: pandas is not installed.
    """
    import_pandas()
    found: pandas.DataFrame = _table(dataset, task).to_pandas()
    return found


def import_pandas() -> ModuleType:
    """Return pandas.

    Raises:
        UsageError: it is not installed; the message has the command.
    """
    try:
        return import_module("pandas")
    except ImportError as exc:
        raise UsageError("pandas is not installed: pip install pandas") from exc


# --- writing ------------------------------------------------------------------------------------


def write(dataset: Dataset, path: Path, task: Task) -> None:
    """Write ``dataset`` to ``path``: whole or not at all, same content same bytes.

    Raises:
        DatasetError: the file cannot be written.
    """
    import pyarrow.parquet as pq

    table = _table(dataset, task)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            # Places hardly repeat: with their bytes sorted by weight they take less.
            paths = list(path_columns.columns_of(dataset))
            others = [name for name in table.schema.names if name not in paths]
            pq.write_table(
                table,
                temporary,
                compression="zstd",
                write_page_checksum=True,
                use_dictionary=others,
                write_statistics=others,
                use_byte_stream_split=paths,
            )
    except OSError as exc:
        raise DatasetError(f"cannot write data set {path}: {exc.strerror or exc}") from exc


def _table(dataset: Dataset, task: Task) -> Any:
    import pyarrow as pa

    arrays: dict[str, tuple[Array, str]] = {}
    for column in columns(task):
        arrays[column.name] = (getattr(dataset, column.field)[:, column.index], column.unit)
    for name in _SCALARS:
        arrays[name] = (getattr(dataset, name), "m")

    def array(values: Array | NDArray[np.int64], kind: str) -> Any:
        """Return what ``pa.array`` does, which imports pandas, 0.4 s."""
        buffer = pa.py_buffer(np.ascontiguousarray(values, kind))
        return pa.Array.from_buffers(getattr(pa, kind)(), len(values), [None, buffer])

    values = {name: array(found, "float64") for name, (found, _) in arrays.items()}
    values[GROUP] = array(dataset.group, "int64")
    paths = path_columns.columns_of(dataset)
    units = {name: unit for name, (_, unit) in arrays.items()} | {GROUP: ""}
    units |= dict.fromkeys(paths, path_columns.UNIT)
    values |= {name: array(found, "float32") for name, found in paths.items()}
    fields = [pa.field(n, a.type, metadata={"unit": units[n]}) for n, a in values.items()]
    schema = pa.schema(fields, metadata=_metadata(dataset, task, units))
    return pa.Table.from_arrays(list(values.values()), schema=schema)


def _metadata(dataset: Dataset, task: Task, units: Mapping[str, str]) -> dict[str, str]:
    def text(value: object) -> str:
        return json.dumps(jsonable(value), sort_keys=True, ensure_ascii=False)

    return {
        f"{PREFIX}schema_version": str(SCHEMA_VERSION if dataset.path is not None else PATHLESS),
        f"{PREFIX}task": task.name,
        f"{PREFIX}definition": text(task.definition()),
        f"{PREFIX}definition_hash": task.definition_hash(),
        f"{PREFIX}units": text(units),
        f"{PREFIX}provenance": text(dataset.provenance),
        **({ARMS: text([asdict(arm) for arm in dataset.arms])} if dataset.arms else {}),
        **path_columns.metadata(dataset),
    }


# --- reading ------------------------------------------------------------------------------------


def read(path: Path, task: Task) -> Dataset:
    """Read the file at ``path``; its values are not checked here.

    Raises:
        DatasetError: missing, damaged, or not a data set of this task, schema and definition.
    """
    vectors = columns(task)
    names = [*(column.name for column in vectors), *_SCALARS, GROUP]
    table, texts = _read_table(path, task, names)
    provenance = _check_metadata(texts, path, task)
    parts: dict[str, list[Array]] = {"theta": [], "error": [], "dtheta": [], "goal": []}
    for column in vectors:
        parts[column.field].append(_column(table, column.name, path, cells.numbers))
    return Dataset(
        task=task.name,
        **{field: np.stack(found, axis=1) for field, found in parts.items()},
        **{name: _column(table, name, path, cells.numbers) for name in _SCALARS},
        group=_column(table, GROUP, path, cells.groups),
        provenance=provenance,
        arms=_arms(texts.get(ARMS, ""), provenance, path),
        **path_columns.fields_of(
            lambda name: _column(table, name, path, cells.numbers),
            table.schema.names,
            table.num_rows,
            path_columns.times_of(texts, path),
        ),
    )


def _arms(text: str, provenance: Mapping[str, Json], path: Path) -> tuple[ArmId, ...]:
    """Return the arms of the examples; files without them have its name in provenance."""
    if not text:
        name = provenance.get("arm")
        return (ArmId(name),) if isinstance(name, str) and name else ()
    entries = _parse(text, ARMS, path)
    found = [_arm(entry) for entry in entries] if isinstance(entries, list) else [None]
    if None in found:
        raise DatasetError(f"data set {path}: metadata {ARMS} is damaged")
    return tuple(arm for arm in found if arm is not None)


def _arm(entry: Json) -> ArmId | None:
    """Return the arm of one entry; None = it is damaged."""
    if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
        return None
    return ArmId(str(entry["name"]), str(entry.get("hash", UNKNOWN)))


def check_header(path: Path, task: Task) -> None:
    """Check that the file is whole and a data set of ``task``; its values are not read.

    Raises:
        DatasetError: missing, damaged, or not a data set of this task, schema and definition.
    """
    _require_file(path, task)
    found = _guarded(path, lambda pq: pq.read_metadata(path).metadata)
    _check_metadata(_texts(found), path, task)


def metadata(path: Path) -> dict[str, Json]:
    """Return the ``icpi.`` metadata of a file without its prefix, JSON parsed where it is JSON.

    Raises:
        DatasetError: missing or not Parquet.
    """
    _require_regular(path)
    raw = _guarded(path, lambda pq: pq.read_metadata(path).metadata)
    found: dict[str, Json] = {}
    for key, text in _texts(raw).items():
        if key.startswith(PREFIX):
            name = key.removeprefix(PREFIX)
            is_json = name in ("definition", "units", "provenance", "arms", "path_times")
            found[name] = _parse(text, key, path) if is_json else text
    return found


def _texts(raw: Mapping[bytes, bytes] | None) -> dict[str, str]:
    """Decode metadata; damaged bytes become replacement characters and fail the checks."""
    decoded = (raw or {}).items()
    return {k.decode(errors="replace"): v.decode(errors="replace") for k, v in decoded}


def _require_file(path: Path, task: Task) -> None:
    _require_regular(path, f": build one with `icpi dataset build --task {task.name} --out {path}`")


def _require_regular(path: Path, remedy: str = "") -> None:
    """Check that a data set is a file: a pipe or a device may never end."""
    try:
        require_regular(path)
    except (FileNotFoundError, NotADirectoryError):
        raise DatasetError(f"there is no data set at {path}{remedy}") from None
    except (OSError, ValueError) as exc:
        why = exc.strerror if isinstance(exc, OSError) else exc
        raise DatasetError(f"cannot read data set {path}: {why}") from exc


def _read_table(path: Path, task: Task, names: Sequence[str]) -> tuple[Any, dict[str, str]]:
    """Return the columns ``names``, those of the paths, and the metadata; no others are read."""
    _require_file(path, task)
    schema = _guarded(path, lambda pq: pq.read_schema(path))
    # One text for all rows fills the memory if every row gets a copy.
    texts_once = [field.name for field in schema if cells.is_text(field.type)]
    options = {**_VERIFY, "read_dictionary": texts_once}
    file = _guarded(path, lambda pq: pq.ParquetFile(path, **options))
    with file:
        texts = _texts(file.metadata.metadata)  # some writers leave it out of Arrow's schema
        _check_metadata(texts, path, task)
        names = [*names, *path_columns.wanted(texts, file.schema_arrow.names, path)]
        _check_columns(file.schema_arrow, names, path)
        size = _guarded(path, lambda _: _unpacked_bytes(file.metadata))
        size = max(size, 8 * file.metadata.num_rows * len(names))
        if file.metadata.num_rows > MAX_EXAMPLES or size > MAX_UNPACKED:
            raise DatasetError(
                f"data set {path} is too large: {file.metadata.num_rows} examples, {size} B; at "
                f"most {MAX_EXAMPLES} and {MAX_UNPACKED} B are read"
            )
        table = _guarded(path, lambda _: file.read(columns=names))
        for name, kind in _written_durations(texts, names):
            raise DatasetError(
                f"data set {path}: column {name!r} has the type {kind}: must hold numbers"
            )
        return table, texts


def _written_durations(texts: Mapping[str, str], names: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield columns of durations that are stored once each: pyarrow reads them as integers."""
    import pyarrow as pa

    try:
        written = pa.ipc.read_schema(pa.py_buffer(base64.b64decode(texts.get("ARROW:schema", ""))))
    except (pa.ArrowException, OSError, ValueError):
        return  # of another writer
    for field in written:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else None
        if kind is not None and field.name in names and pa.types.is_duration(kind):
            yield field.name, cells.shown_type(kind)


def _unpacked_bytes(found: Any) -> int:
    groups_ = range(found.num_row_groups)
    return sum(max(0, int(found.row_group(number).total_byte_size)) for number in groups_)


def _guarded(path: Path, use: Any) -> Any:
    """Call ``use(pyarrow.parquet)`` and turn its errors into one clear line."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return use(pq)
    except (pa.ArrowException, OSError, ValueError) as exc:
        raise DatasetError(
            f"{path} is not a readable Parquet file (truncated or damaged?): "
            f"build or copy it again ({' '.join(str(exc).split())[:120]})"
        ) from exc


T = TypeVar("T")


def _column(table: Any, name: str, path: Path, read: Callable[[Any], T]) -> T:
    """Return one column as ``read`` makes it, a function of :mod:`.cells`."""
    try:
        return read(table.column(name))
    except ValueError as exc:
        label = name if name == GROUP else repr(name)
        raise DatasetError(f"data set {path}: column {label} {exc}") from exc


def _check_columns(schema: Any, names: Sequence[str], path: Path) -> None:
    """Check that all columns are there, each of them once."""
    counts = Counter(schema.names)
    for name in names:
        if (count := counts[name]) > 1:
            raise DatasetError(f"data set {path} has column {name!r} more than once")
        if not count:
            there = ", ".join(printable(column)[:40] for column in schema.names[:_MAX_NAMES])
            more = ", ..." if len(schema.names) > _MAX_NAMES else ""
            raise DatasetError(f"data set {path} has no column {name!r}: it has {there}{more}")


def _check_metadata(found: Mapping[str, str], path: Path, task: Task) -> dict[str, Json]:
    """Check that the file is a data set of this task; return its provenance."""
    version = found.get(f"{PREFIX}schema_version", "")
    if not version.isdecimal() or len(version) > 9:
        raise DatasetError(f"{path} is a Parquet file, but not a data set of icpi_ros")
    if int(version) > SCHEMA_VERSION:
        raise DatasetError(
            f"data set {path} has schema version {version}, this icpi_ros reads up to "
            f"{SCHEMA_VERSION}: upgrade icpi_ros, or build the data set again"
        )
    name = found.get(f"{PREFIX}task", "")
    if name != task.name:
        raise DatasetError(f"data set {path} is of task {name!r}, not {task.name!r}")
    definition = _parse(found.get(f"{PREFIX}definition", ""), "icpi.definition", path)
    now = json.loads(json.dumps(task.definition()))
    if definition != now:
        changes = "; ".join(list(differences(definition, now))[:3])
        raise DatasetError(
            f"data set {path} was made with another definition of task {name} ({changes}): "
            f"build it again with `icpi dataset build --task {name} --out {path}`"
        )
    provenance = _parse(found.get(f"{PREFIX}provenance", "{}"), "icpi.provenance", path)
    return provenance if isinstance(provenance, dict) else {}


def _parse(text: str, key: str, path: Path) -> Json:
    try:
        value: Json = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise DatasetError(f"data set {path}: metadata {key} is damaged") from exc
    return value


def differences(old: Json, new: Json, where: str = "") -> Iterator[str]:
    """Yield one text per difference of two JSON values: where, in the file, now."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted({*old, *new}):
            inner = f"{where}.{key}" if where else key
            yield from differences(old.get(key), new.get(key), inner)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from differences(a, b, f"{where}[{_label(a, b, index)}]")
    elif old != new:
        yield f"{where}: {json.dumps(old)} in the file, {json.dumps(new)} now"


def _label(old: Json, new: Json, index: int) -> Json:
    """Name a list entry by its first element if both have the same text there (a parameter)."""
    if isinstance(old, list) and isinstance(new, list) and old and new and old[0] == new[0]:
        return old[0] if isinstance(old[0], str) else index
    return index
