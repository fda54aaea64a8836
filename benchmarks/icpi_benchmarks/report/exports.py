"""Rows of a benchmark as tables for other programs: CSV and Parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from icpi_benchmarks.results import Results
from icpi_ros.cli.report_outputs import Outputs, say_file
from icpi_ros.report.run.export import write_csv, write_parquet
from icpi_ros.runs.trial_tables import Value

_VECTOR = "theta"
"""Key of a row that holds a list; its columns are ``theta_0``, ``theta_1``, ..."""


def write_tables(found: Sequence[tuple[Path, Results]], asked: Outputs) -> None:
    """Write the rows of results files as one table, in each form that is asked for.

    Raises:
        UsageError: there is no row, or a file cannot be written.
    """
    if not (asked.csv or asked.parquet):
        return
    rows = table_rows(found)
    if asked.csv:
        write_csv(asked.csv, rows)
        say_file(f"{len(rows)} rows", asked.csv)
    if asked.parquet:
        write_parquet(asked.parquet, rows)
        say_file(f"{len(rows)} rows", asked.parquet)


def table_rows(found: Sequence[tuple[Path, Results]]) -> list[dict[str, Value]]:
    """Return one row per trial with the same columns for all; None = not known, or not there.

    Costs in m, times in s, as in the files; with several files the first column is ``file``.
    """
    each = [(path, row) for path, results in found for row in results.rows]
    names = list(dict.fromkeys(name for _, row in each for name in row if name != _VECTOR))
    width = max((len(row.get(_VECTOR) or ()) for _, row in each), default=0)
    return [
        {
            **({"file": str(path)} if len(found) > 1 else {}),
            **{name: _value(row.get(name)) for name in names},
            **_vector(row, width),
        }
        for path, row in each
    ]


def _vector(row: Mapping[str, Any], width: int) -> dict[str, Value]:
    values = [*(row.get(_VECTOR) or ()), *[None] * width][:width]
    return {f"{_VECTOR}_{n}": value for n, value in enumerate(values)}


def _value(value: Any) -> Value:
    """Return a value of JSON as one of a table: what has parts as its JSON."""
    return json.dumps(value) if isinstance(value, dict | list) else value
