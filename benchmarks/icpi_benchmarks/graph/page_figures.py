"""Figures of the live page: how late it shows the arm, how fast its STOP is, what it costs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from icpi_benchmarks.statistics.intervals import percentile_interval, resampled_means
from icpi_ros.core.units import in_ms, times

MAX_SHOWN, MAX_STOP = 0.1, 0.1
"""Most time from a joint state to the screen (median), from STOP to braking (p99) [s]."""
MAX_COST, MAX_SHARE = 1.02, 0.3
"""Most wall time of a trial with the page, in trials without it; most of one core it takes."""
MATCH = 1e-9
"""Largest difference of a place that was sent and one that arrived [m]."""


@dataclass(frozen=True)
class ShownState:
    """Joint state that reached the page; times since its publication [s].

    Attributes:
        script: until the page's script had it.
        drawn: until the animation frame after the one in which it was drawn.
    """

    script: float
    drawn: float


@dataclass(frozen=True)
class Pair:
    """Two runs of the same trials: wall times of their trials, without and with the page [s].

    Attributes:
        share: processor time of the page's process, of one core, while it was there.
    """

    without: tuple[float, ...]
    shown: tuple[float, ...]
    share: float


@dataclass
class PageFigures:
    """Measurements of a page; empty = not measured.

    Attributes:
        arrivals: joint states that reached the page.
        stops: from STOP to the braking command [s].
        missed: presses that came when nothing moved any more.
        pairs: runs without and with the page.
    """

    arrivals: list[ShownState] = field(default_factory=list)
    stops: list[float] = field(default_factory=list)
    missed: int = 0
    pairs: list[Pair] = field(default_factory=list)


def arrivals(
    sent: Sequence[tuple[float, Sequence[float]]], seen: Sequence[Sequence[float]]
) -> list[ShownState]:
    """Return when places that were sent reached the page; those that were sent twice are left out.

    Args:
        sent: time of publication [s] and place ``(3,)`` [m] of each.
        seen: place, time in the script and time after it was drawn [m, m, m, s, s].
    """
    known: dict[tuple[int, ...], float | None] = {}
    for moment, place in sent:
        key = _key(place)
        known[key] = None if key in known else moment
    found = [(known.get(_key(row[:3])), row[3], row[4]) for row in seen if row[4] > 0.0]
    return [
        ShownState(script - moment, drawn - moment)
        for moment, script, drawn in found
        if moment is not None
    ]


def _key(place: Sequence[float]) -> tuple[int, ...]:
    return tuple(round(value / MATCH) for value in place)


def summary(found: PageFigures, seed: int = 0) -> dict[str, Any]:
    """Return what is printed and written; times in seconds."""
    rows: dict[str, Any] = {"missed": found.missed}
    if found.arrivals:
        rows["shown"] = len(found.arrivals)
        rows["script"] = times([each.script for each in found.arrivals])
        rows["drawn"] = times([each.drawn for each in found.arrivals])
    if found.stops:
        rows["stops"] = len(found.stops)
        rows["stop"] = times(found.stops)
        rows["each_stop"] = list(found.stops)
    if found.pairs:
        ratios = np.array([sum(pair.shown) / sum(pair.without) for pair in found.pairs])
        low, high = percentile_interval(resampled_means(ratios, seed))
        trial = [float(np.mean([np.mean(t) for t in column])) for column in _columns(found.pairs)]
        rows |= {
            "pairs": len(found.pairs),
            "trials": sum(len(pair.shown) for pair in found.pairs),
            "trial_without": trial[0],
            "trial_shown": trial[1],
            "ratio": float(ratios.mean()),
            "ratio_interval": [float(low), float(high)],
            "share": float(np.mean([pair.share for pair in found.pairs])),
            "share_max": max(pair.share for pair in found.pairs),
            "each_ratio": ratios.tolist(),
        }
    return rows


def _columns(pairs: Sequence[Pair]) -> tuple[list[tuple[float, ...]], list[tuple[float, ...]]]:
    return [pair.without for pair in pairs], [pair.shown for pair in pairs]


def kept(rows: Mapping[str, Any]) -> bool:
    """Return True if what was measured meets its targets."""
    return bool(
        rows.get("drawn", {"median": 0.0})["median"] <= MAX_SHOWN
        and rows.get("stop", {"p99": 0.0})["p99"] <= MAX_STOP
        and rows.get("ratio", 1.0) <= MAX_COST
        and rows.get("share", 0.0) <= MAX_SHARE
    )


def text(rows: Mapping[str, Any]) -> str:
    """Return the summary as lines."""
    lines = []
    if "shown" in rows:
        lines += [
            f"{rows['shown']} joint states of a moving arm reached the page",
            f"published to the page's script    {in_ms(rows['script'])}",
            f"published to the frame after it   {in_ms(rows['drawn'])} "
            f"(median {1e3 * MAX_SHOWN:g} allowed)",
        ]
    if "stops" in rows:
        lines.append(
            f"STOP to the braking command       {in_ms(rows['stop'])} (p99 {1e3 * MAX_STOP:g} "
            f"allowed; {rows['stops']} stops, {rows['missed']} came too late)"
        )
    if "pairs" in rows:
        low, high = rows["ratio_interval"]
        lines += [
            f"a trial with the page takes {rows['ratio']:.4f} of one without "
            f"({low:.4f} to {high:.4f}; {MAX_COST:g} allowed): {rows['trial_shown']:.3f} s and "
            f"{rows['trial_without']:.3f} s, {rows['pairs']} pairs, {rows['trials']} trials each",
            f"the page's process takes {100 * rows['share']:.1f} % of one core (at most "
            f"{100 * rows['share_max']:.1f} %; {100 * MAX_SHARE:g} allowed)",
        ]
    return "\n".join(lines)
