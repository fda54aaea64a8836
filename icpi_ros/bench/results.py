"""What a benchmark leaves behind: one JSON file with everything needed to repeat and judge it."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icpi_ros.errors import UsageError

FORMAT = "icpi-bench"
VERSION = 1


@dataclass(frozen=True)
class Results:
    """A finished benchmark; see the keys in the docs."""

    config: Mapping[str, Any]
    instances: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def read(path: str | Path) -> Results:
    """Read a results file.

    Raises:
        UsageError: it is not there, not JSON, cut off, of another format or version.
    """
    try:
        data = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as exc:
        raise UsageError(f"cannot read {path}: {exc.strerror or exc}") from exc
    except ValueError as exc:
        raise UsageError(f"{path} is not JSON, or cut off ({exc})") from exc
    if not isinstance(data, dict) or data.get("format") != FORMAT:
        raise UsageError(f"{path} is not a file of icpi bench: expected format {FORMAT}")
    if data.get("version") != VERSION:
        raise UsageError(f"{path} has version {data.get('version')}, known is {VERSION}: upgrade")
    if missing := {"config", "instances", "rows"} - data.keys():
        raise UsageError(f"{path} lacks {', '.join(sorted(missing))}")
    return Results(data["config"], data["instances"], data["rows"])


def write(results: Results, path: str | Path) -> None:
    """Write a results file, all or nothing."""
    path = Path(path)
    data = {
        "format": FORMAT,
        "version": VERSION,
        "config": results.config,
        "instances": results.instances,
        "rows": results.rows,
    }
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(data), encoding="utf-8")
    os.replace(part, path)
