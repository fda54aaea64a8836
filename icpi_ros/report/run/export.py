"""Stored run for programs: JSON, and its trials as CSV or Parquet; lengths in m, times in s."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from icpi_ros.core.errors import UsageError
from icpi_ros.core.files import replacing
from icpi_ros.core.redact import Json, jsonable
from icpi_ros.core.types import Trial
from icpi_ros.llm.client.budget import Spending
from icpi_ros.runs.answer import recommended
from icpi_ros.runs.store.records import RunConfig
from icpi_ros.runs.trial_tables import Value, trial_json


def record_json(
    run_id: str, config: RunConfig, trials: list[Trial], spent: Spending
) -> dict[str, Json]:
    """Return a run in the form that ``icpi run --json`` writes; standard JSON, no NaN."""
    answer = recommended(trials)
    return {
        "run_id": run_id,
        "task": config.task,
        "improver": config.improver,
        "config": jsonable(config.as_dict()),
        "spent": spent.as_dict(),
        "recommended": None if answer is None else answer.number,
        "trials": jsonable([trial_json(trial) for trial in trials]),
    }


def write_csv(path: Path, rows: Sequence[Mapping[str, Value]]) -> None:
    """Write rows with the same columns; an empty field = not known.

    Raises:
        UsageError: no row, or the file cannot be written.
    """
    _require(path, rows)
    try:
        with (
            replacing(path, private=True) as temporary,
            temporary.open("w", newline="", encoding="utf-8") as out,
        ):
            writer = csv.DictWriter(out, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror or exc}") from exc


def write_parquet(path: Path, rows: Sequence[Mapping[str, Value]]) -> None:
    """Write rows with the same columns; null = not known.

    Raises:
        UsageError: no row, or the file cannot be written.
    """
    from pyarrow import parquet, table

    _require(path, rows)
    columns = {name: _column([row[name] for row in rows]) for name in rows[0]}
    try:
        with replacing(path, private=True) as temporary:
            parquet.write_table(table(columns), temporary, compression="zstd")
    except OSError as exc:
        raise UsageError(f"cannot write {path}: {exc.strerror or exc}") from exc


def _column(values: list[Value]) -> Any:
    """Return a column; one without any value is of numbers."""
    import pyarrow

    kind = pyarrow.float64() if all(value is None for value in values) else None
    return pyarrow.array(values, type=kind)


def _require(path: Path, rows: Sequence[Mapping[str, Value]]) -> None:
    if not rows:
        raise UsageError(f"nothing to write to {path}: the run has no trial")
