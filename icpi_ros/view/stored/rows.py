"""Stored runs as the page shows them: short texts on one line, and numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeAlias

from icpi_ros.core.redact import Json, jsonable, redact
from icpi_ros.core.text import printable
from icpi_ros.core.types import TrialStatus
from icpi_ros.runs.store.overview import RunOverview
from icpi_ros.runs.store.records import RunRecord
from icpi_ros.tasks import TASKS

MAX_TEXT = 400
"""Longest text of one cell [characters]; what is longer ends with dots."""
MAX_NUMBER = 1e12
"""Costs from here on are none [m]."""
UNDER_WAY = "under way"
Row: TypeAlias = dict[str, Json]


def row_of(run: RunOverview, written: bool) -> Row:
    """Return a run as a row of the page.

    Args:
        run: as it is stored.
        written: a process writes it now.
    """
    record, config = run.record, run.record.config
    running = None
    if written:
        running = next((t.number for t in run.costs if t.status == TrialStatus.RUNNING), None)
    return {
        "id": record.run_id,
        "created": _utc(record.created),
        "task": _text(config.task),
        "arm": _text(record.execution.arm),
        "backend": record.execution.backend.value,
        "improver": _text(config.improver),
        "goal": ", ".join(f"{value:.4g}" for value in config.goal),
        "goal_text": _goal(_text(config.task), config.goal),
        "options": _options(config.options),
        "seed": _text(config.seed),  # a script's numbers have 53 bits
        "budget": _text(config.budget),
        "target": _number(config.target_cost),
        "costs": [[t.number, _number(t.cost)] for t in run.costs if t.number != running],
        "running": running,
        "replaced": sum(trial.replaced for trial in run.costs),
        "state": UNDER_WAY if written and record.state == "open" else record.state,
        "note": record.note,
        "mixed": record.mixed,
        "latest": _utc(run.latest),
        "damage": run.damage,
    }


def settings_of(record: RunRecord) -> Row:
    """Return all settings of a run as texts, by name."""
    found = redact(jsonable(record.settings()))
    assert isinstance(found, dict)
    return {shown(name): shown(_text(value)) for name, value in found.items()}


def shown(text: str) -> str:
    """Return a text of a store as a page may show it: one line, printable, not too long."""
    text = printable(text[: MAX_TEXT + 1])
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}..."


def clean(rows: Sequence[Row]) -> list[Row]:
    """Return rows without keys of the environment, every text as :func:`shown`."""
    redacted = redact(list(rows))
    assert isinstance(redacted, list)
    return [
        {name: shown(value) if isinstance(value, str) else value for name, value in row.items()}
        for row in redacted
        if isinstance(row, dict)
    ]


def _utc(text: str) -> str:
    """Return a time to the second in UTC, without the zone; what is no time as it is."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return found.astimezone(UTC).isoformat(timespec="seconds")[:19] if found.tzinfo else text[:19]


def _goal(task: str, goal: Sequence[float]) -> str:
    """Return a goal with names and units; plain where the task is not here or is another now."""
    parameters = TASKS.get(task).goal_space.parameters if task in TASKS else ()
    if len(parameters) != len(goal):
        return ", ".join(f"{value:.6g}" for value in goal)
    return ", ".join(f"{p.name} {p.text(v, 6)}" for p, v in zip(parameters, goal, strict=True))


def _options(options: object) -> str:
    if not isinstance(options, Mapping):
        return _text(options)
    return ", ".join(f"{name}={_text(value)}" for name, value in options.items())


def _number(value: object) -> float | None:
    """Return a number that is one: a store of another hand may hold anything."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < MAX_NUMBER else None  # NaN is not below it either


def _text(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(jsonable(value), ensure_ascii=False, sort_keys=True)
    except RecursionError:
        return "too deep to be shown"
