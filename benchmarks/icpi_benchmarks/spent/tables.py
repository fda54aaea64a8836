"""Tables of what runs spend, from the rows of all trials; costs are true ones [mm]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from icpi_benchmarks.statistics.intervals import percentile_interval, resampled_means
from icpi_ros.core.types import Array
from icpi_ros.runs.answer import has_converged

Row = Mapping[str, Any]
SHOWN = (5, 8, 10)
"""Numbers of trials that the tables show."""
_HEAD = "true cost [mm], mean [95 %]: theta that looked best | recommended one | paired difference"


def text(rows: Sequence[Row], seed: int) -> list[str]:
    """Return the lines of all tables: a block per noise, a line per improver."""
    lines: list[str] = [_HEAD]
    for noise in dict.fromkeys(row["noise"] for row in rows):
        runs = _runs([row for row in rows if row["noise"] == noise])
        lines += ["", f"noise {1e3 * noise:g} mm"]
        for label in dict.fromkeys(label for label, *_ in runs):
            found = [run for (name, *_), run in runs.items() if name == label]
            complete = [run for run in found if all("answer" in row for row in run)]
            lines += _lines(label, complete, len(found) - len(complete), seed)
    return lines


def stopped_after(run: Sequence[Row]) -> int:
    """Return the number of trials of a run that stops when it has converged."""
    for done, row in enumerate(run):  # a trial's row has what was expected of it before
        if done and has_converged(done, len(run), row["gain"], row["noise_inferred"]):
            return done
    return len(run)


def _runs(rows: Sequence[Row]) -> dict[tuple[str, str, int], list[Row]]:
    found: dict[tuple[str, str, int], list[Row]] = {}
    for row in rows:
        found.setdefault((row["improver"], row["task"], row["instance"]), []).append(row)
    return found


def _lines(label: str, runs: Sequence[Sequence[Row]], left_out: int, seed: int) -> list[str]:
    if not runs:
        return [f"  {label}: the first attempt of every run failed"]
    repeats = np.mean([sum(row["repeat"] for row in run) for run in runs])
    failed = sum(row["cost"] is None for run in runs for row in run)
    gone = f", {left_out} whose first attempt failed left out" if left_out else ""
    gone += f", {failed} failed trials" if failed else ""
    lines = [f"  {label}: {len(runs)} runs{gone}, {repeats:.1f} repeats"]
    for count in SHOWN:
        if count <= len(runs[0]):
            at = [run[count - 1] for run in runs]
            looked, answer = (np.array([row[k] for row in at]) for k in ("looked_best", "answer"))
            shown = (_mean(costs, seed) for costs in (looked, answer, answer - looked))
            lines.append(f"    after {count:>2}: {' | '.join(shown)}")
    spent = [stopped_after(run) for run in runs]
    ends = [(run[n - 1]["answer"], run[-1]["answer"]) for n, run in zip(spent, runs, strict=True)]
    lost = np.array([stopped - last for stopped, last in ends])
    lines.append(
        f"    stopped when converged: spends {np.mean(spent):.1f} of {len(runs[0])} trials, loses "
        f"{_mean(lost, seed)}"
    )
    return lines


def _mean(costs: Array, seed: int) -> str:
    values = 1e3 * costs
    low, high = percentile_interval(resampled_means(values, seed))
    return f"{values.mean():.2f} [{low:.2f}, {high:.2f}]"
