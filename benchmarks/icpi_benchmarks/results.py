"""The results file of ``icpi bench``: one JSON object with everything needed to repeat it.

``config`` has the plan, ``instances`` the problem of each number, ``rows`` the result of each trial
of each improver.  Costs in metres, times in seconds; a value that does not exist is null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icpi_ros.core.errors import ResultsError
from icpi_ros.core.files import read_file, replacing
from icpi_ros.learn.dataset.execution import UNKNOWN
from icpi_ros.learn.dataset.mixing import ArmId

FORMAT = "icpi-bench"
VERSION = 1
MAX_BYTES = 512 * 2**20
"""Largest file that is read [B]."""
CONFIG_KEYS = (
    "command",
    "preset",
    "seed",
    "instances",
    "trials",
    "time_limit",
    "threshold_m",
    "tasks",
    "improvers",
    "default",
    "conditions",
    "versions",
    "definitions",
    "datasets",
)
INSTANCE_KEYS = ("task", "condition", "instance", "physics", "goal", "theta")
ROW_KEYS = (
    "condition",
    "task",
    "instance",
    "improver",
    "trial",
    "cost",
    "best_cost",
    "seconds",
    "provenance",
    "fallback_reason",
    "failure",
    "predicted_cost",
    "predicted_std",
    "projected",
    "theta",
)
MIN_OWN = 0.9
"""Share of its adjustments that an improver must have proposed itself to be ranked."""


@dataclass(frozen=True)
class Results:
    """A finished benchmark.

    Attributes:
        config: :data:`CONFIG_KEYS`; ``improvers`` and ``tasks`` in the order of the report,
            ``default`` is the improver that the others are compared with;
            newer files have ``arms`` (see :func:`arms_of`) and ``mixed``, too.
        instances: :data:`INSTANCE_KEYS` of each (condition, task, instance).
        rows: :data:`ROW_KEYS` of each trial, by condition, task, instance, improver, trial.
            ``cost`` [m] is None where the trial failed; ``failure`` says why, ``refusal`` (not in
            older files) the same in fields, where there are some; ``own_step`` and
            ``own_improved`` (neither) as in :func:`is_own_step`.
    """

    config: Mapping[str, Any]
    instances: list[dict[str, Any]]
    rows: list[dict[str, Any]]


def is_own_step(row: Mapping[str, Any]) -> bool:
    """Return whether the improver itself proposed an adjustment: no other one, and not none.

    It improved if its true cost is below the best one before it.
    """
    return row["trial"] > 0 and row["theta"] is not None and not row["fallback_reason"]


def arms_of(config: Mapping[str, Any]) -> dict[str, ArmId]:
    """Return the arm that executed each task, as far as the file names it."""
    found = config.get("arms")
    if not isinstance(found, dict):
        return {}
    return {
        task: ArmId(str(arm.get("name", UNKNOWN)), str(arm.get("hash", UNKNOWN)))
        for task, arm in found.items()
        if isinstance(arm, dict)
    }


def mixed_lines(config: Mapping[str, Any]) -> list[str]:
    """Return the examples that were mixed on purpose, one line per task; none in older files."""
    found = config.get("mixed")
    arms = found if isinstance(found, dict) else {}
    return [f"mixed on purpose: {task} with examples of {arm}" for task, arm in arms.items()]


def write(results: Results, path: str | Path) -> None:
    """Write a results file: whole or not at all, one row per line.

    Raises:
        ResultsError: it cannot be written.
    """
    path = Path(path)
    try:
        with replacing(path) as temporary, temporary.open("w", encoding="utf-8") as file:
            file.writelines(_lines(results))
    except OSError as exc:
        raise ResultsError(f"cannot write {path}: {exc.strerror or exc}") from exc


def results_text(results: Results) -> str:
    """Return the text that :func:`write` writes."""
    return "".join(_lines(results))


def _lines(results: Results) -> Iterator[str]:
    yield f'{{"format": "{FORMAT}", "version": {VERSION},\n'
    yield f'"config": {json.dumps(results.config, indent=1, allow_nan=False)},\n'
    yield '"instances": [\n'
    yield from _entries(results.instances)
    yield '],\n"rows": [\n'
    yield from _entries(results.rows)
    yield "]}\n"


def _entries(entries: list[dict[str, Any]]) -> Iterator[str]:
    for index, entry in enumerate(entries):
        comma = "," if index + 1 < len(entries) else ""
        yield json.dumps(entry, allow_nan=False) + comma + "\n"


def read(path: str | Path) -> Results:
    """Read a results file.

    Raises:
        ResultsError: missing, cut off, not of ``icpi bench``, of a newer version, or with
            something missing in it.
    """
    try:
        content = _parsed(read_file(Path(path), MAX_BYTES).decode("utf-8"))
    except OSError as exc:
        raise ResultsError(f"cannot read {path}: {exc.strerror or exc}") from exc
    except (ValueError, RecursionError) as exc:  # wrong Unicode is a ValueError, too
        raise ResultsError(
            f"{path} is not JSON, or was cut off ({exc}): run the benchmark that made it again"
        ) from exc
    _check(content, str(path))
    return Results(content["config"], content["instances"], content["rows"])


def _parsed(text: str) -> Any:
    """Return the content of a JSON text; raise ValueError where no summary can work with it."""
    content = json.loads(text, parse_int=_whole)
    if r"\ud" in text.lower():  # perhaps half of a pair, which cannot be written again
        json.dumps(content, ensure_ascii=False).encode()
    return content


def _whole(digits: str) -> int:
    if math.isinf(float(digits)):
        raise ValueError(f"a number of {len(digits)} digits")
    return int(digits)


def _check(content: Any, path: str) -> None:
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise ResultsError(f"{path} is not a results file of `icpi bench` (format {FORMAT})")
    version = content.get("version")
    if not isinstance(version, int) or version < 1:
        raise ResultsError(f"{path} has version {version!r}: known is {VERSION}")
    if version > VERSION:
        raise ResultsError(
            f"{path} has version {version}, this icpi_ros knows {VERSION}: install a newer one"
        )
    _require(content, ("config", "instances", "rows"), path)
    _require(content["config"], CONFIG_KEYS, f"{path}: config")
    for name, keys in (("instances", INSTANCE_KEYS), ("rows", ROW_KEYS)):
        entries = content[name]
        if not isinstance(entries, list):
            raise ResultsError(f"{path}: {name} is not a list")
        for index, entry in enumerate(entries):
            _require(entry, keys, f"{path}: {name}[{index}]")


def _require(value: Any, keys: Iterable[str], where: str) -> None:
    if not isinstance(value, dict):
        raise ResultsError(f"{where} is not an object")
    missing = [key for key in keys if key not in value]
    if missing:
        raise ResultsError(f"{where} lacks {', '.join(missing)}: the file is damaged")
