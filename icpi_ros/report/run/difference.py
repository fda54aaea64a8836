"""Two stored runs beside each other: differences of their configurations, cost of each trial."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import zip_longest
from typing import Any

from icpi_ros.core.text import printable
from icpi_ros.core.types import Trial
from icpi_ros.core.units import millimetres
from icpi_ros.runs.store.records import RunRecord

Pair = tuple[Any, Any]


def differences(a: RunRecord, b: RunRecord) -> dict[str, Pair]:
    """Return the settings in which two runs differ: name to both values, None where one has none.

    Names are those of the configuration, ``options.k`` for what is inside of one, and
    ``execution.arm`` and so on for how the runs began.
    """
    one, other = (_flat(_settings(record)) for record in (a, b))
    pairs = {name: (one.get(name), other.get(name)) for name in (*one, *other)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _settings(record: RunRecord) -> dict[str, Any]:
    learned = ", ".join(f"{run_id} ({n})" for run_id, n in record.config.learned_from.items())
    own = {"learned_from": learned, "execution": asdict(record.execution)}
    return record.config.as_dict() | own


def cost_pairs(a: Sequence[Trial], b: Sequence[Trial]) -> list[dict[str, Any]]:
    """Return the cost of each trial in both runs [m], and the best so far; None = not observed."""
    return [
        {
            "trial": (one or other).number,
            "costs": [_finite(t.cost if t else math.nan) for t in (one, other)],
            "best_costs": [_finite(t.best_cost if t else math.nan) for t in (one, other)],
        }
        for one, other in zip_longest(a, b)
    ]


def difference_text(
    records: tuple[RunRecord, RunRecord], costs: Sequence[Mapping[str, Any]]
) -> str:
    """Return both as text: a line per difference, then a row per trial."""
    a, b = records
    found = differences(a, b)
    lines = [f"A = {a.run_id}, B = {b.run_id}"]
    width = max(map(len, found), default=0)
    lines += [
        f"{name:<{width}}  A: {_shown(one)}  B: {_shown(other)}"
        for name, (one, other) in found.items()
    ]
    lines += [] if found else ["their configurations are the same"]
    lines.append(f"{'trial':>5}  {'cost A':>10}  {'cost B':>10}  {'best A':>10}  {'best B':>10}")
    for row in costs:
        shown = [millimetres(_number(value)) for value in (*row["costs"], *row["best_costs"])]
        lines.append(f"{row['trial']:>5}  " + "  ".join(f"{text:>10}" for text in shown))
    return "\n".join(map(printable, lines))


def _shown(value: Any) -> str:
    """Return a value of a configuration; a dash where a run has none."""
    return "-" if value is None or value == "" else str(value)


def _flat(values: Mapping[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            found |= _flat(value, f"{before}{name}.")
        else:
            found[f"{before}{name}"] = value
    return found


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _number(value: float | None) -> float:
    return math.nan if value is None else value
