"""Paths of objects as data sets and improvers compare them: places at fixed times after an event.

A real trial's window opens some time before the motion, a simulated one at its start.  Time is
therefore counted from an event in the path itself: the object is ``MOVED`` away from its start.
The same path gives the same places in simulation, on a real arm and from a bag, whatever the rate
of the sensor; its noise is averaged, not followed.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icpi_ros.core.types import Array, ObjectTrajectory
from icpi_ros.tasks.base import Task

MOVED = 0.03
"""Distance from the start at which the clock of a path begins [m]."""
TIMES = (
    *(0.0, 0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8),
    *(0.9, 1.0, 1.15, 1.35, 1.6, 2.0, 2.6, 3.4),
)
"""Times of the places [s] after the event; the first one stands for the start."""
START_TIME = 0.05
"""Time from the beginning of the window in which the object counts as at its start [s]."""
START_MARGIN = 0.15
"""Time before the event up to which it counts as at its start in a longer window [s]."""
AVERAGED = 0.016
"""Half-width of the triangle that weights the samples around a place [s]."""
FITTED = 0.04
"""Largest half-width of the line that is fitted to the motion around the event [s]."""
FITTED_DISTANCE = 1.5 * MOVED
"""The same as a distance at the object's speed [m]."""
MAX_GAP = 0.15
"""Longest time between samples that is bridged [s]."""
MIN_COVERAGE = 0.6
"""Least share of samples that must be there, up to the last place."""
MIN_SAMPLES = 4
MAX_DENSE = 10_000
"""Samples up to which all of them are weighted for every place, most with 0; of longer paths those
around it alone, which differs by rounding."""


def path_times(task: Task) -> Array:
    """Return the times ``(P,)`` [s] of a task's paths: :data:`TIMES`, as long as a trial lasts.

    Two at least, however short it is.
    """
    times = np.array(TIMES)
    return times[: max(2, np.count_nonzero(times <= task.max_duration))]


def are_path_times(times: Array) -> bool:
    """Return whether times are ``(P,)``, two at least, and increase from 0, which is the start."""
    two = times.ndim == 1 and len(times) > 1
    return two and bool(times[0] == 0.0 and np.isfinite(times).all() and (np.diff(times) > 0).all())


def sample_path(trajectory: ObjectTrajectory | None, times: ArrayLike) -> Array:
    """Return the places ``(P, 3)`` [m] of an object, frame ``base``, rounded as float32 is.

    The first place is the start, the others are those at ``times`` after the event; after the
    window the last place is held.  All are NaN where the path is not known well enough: None, too
    few samples, a long gap where a place is asked for, or an object that is not seen to start.

    Args:
        trajectory: as observed.
        times: ``(P,)`` [s], increasing, 0 for the start.
    """
    asked = np.asarray(times, dtype=np.float64)
    unknown = np.full((len(asked), 3), np.nan)
    if trajectory is None:
        return unknown
    there = np.asarray(np.isfinite(trajectory.positions).all(axis=1))
    seen, places = trajectory.times[there], trajectory.positions[there]
    if len(seen) < MIN_SAMPLES:
        return unknown
    start, event = _beginning(seen, places)
    moments = event + asked[1:]
    if not np.isfinite(event) or there[trajectory.times <= moments[-1]].mean() < MIN_COVERAGE:
        return unknown
    if _in_a_gap(np.array([event, *moments]), seen, trajectory.times):
        return unknown
    found = np.vstack([start, _places(seen, places, np.minimum(moments, seen[-1]))])
    return found.astype(np.float32).astype(np.float64)


def sample_paths(trajectories: Sequence[ObjectTrajectory | None], times: ArrayLike) -> Array:
    """Return the places ``(N, P, 3)`` [m] of several paths; see :func:`sample_path`."""
    asked = np.asarray(times, dtype=np.float64)
    found = [sample_path(trajectory, asked) for trajectory in trajectories]
    return np.reshape(np.array(found, dtype=np.float64), (len(found), len(asked), 3))


def known_paths(paths: Array) -> NDArray[np.bool_]:
    """Return which of the paths ``(N, P, 3)`` are known ``(N,)``."""
    return np.asarray(np.isfinite(paths).all(axis=(1, 2)))


def _beginning(times: Array, places: Array) -> tuple[Array, float]:
    """Return the start ``(3,)`` [m], and when the object was ``MOVED`` away; NaN = never seen."""
    start = np.median(places[times <= times[0] + START_TIME], axis=0)
    event = _event(times, places - start)
    if np.isfinite(event) and event - START_MARGIN > times[0] + START_TIME:
        start = np.median(places[times <= event - START_MARGIN], axis=0)
        event = _event(times, places - start)
    return start, event


def _event(times: Array, offsets: Array) -> float:
    """Return when a path with ``offsets`` ``(n, 3)`` from its start is ``MOVED`` away.

    Where a line crosses that distance, fitted to the travel around the crossing: of many samples
    where there are many, else of the two beside it.  NaN where the distance is never passed, or
    already at the beginning.
    """
    far = _median_of_three(np.linalg.norm(offsets, axis=1)) >= MOVED
    if far[0] or not far.any():
        return float("nan")
    first = int(np.argmax(far))
    along = offsets[first : first + 3].mean(axis=0)
    travel = offsets @ (along / np.linalg.norm(along))
    before, after = times[first - 1], times[first]
    middle, speed = 0.5 * (before + after), _line(times, travel, first - 1, first + 2)[1]
    for _ in range(2):
        width = FITTED_DISTANCE / speed if speed > 0.0 else FITTED
        width = max(min(FITTED, width), 0.5001 * (after - before))
        low, high = np.searchsorted(times, (middle - width, middle + width))
        level, speed = _line(times - middle, travel, int(low), int(high))
        if speed <= 0.0:
            return float(middle)
        crossed = middle + (MOVED - level) / speed
        middle = min(max(crossed, before - width), after + width)
    return float(middle)


def _line(times: Array, values: Array, low: int, high: int) -> tuple[float, float]:
    """Return level at time 0 and slope of the line through samples ``low`` to ``high``."""
    x, y = times[low:high], values[low:high]
    if len(x) < 2:
        return float(y.mean()) if len(y) else 0.0, 0.0
    centred = x - x.mean()
    slope = float(centred @ y / (centred @ centred))
    return float(y.mean() - slope * x.mean()), slope


def _median_of_three(values: Array) -> Array:
    """Return each value's median with its neighbours: a single wrong sample is not seen."""
    before, after = np.append(values[:1], values[:-1]), np.append(values[1:], values[-1:])
    low, high = np.minimum(before, after), np.maximum(before, after)
    return np.asarray(np.maximum(low, np.minimum(high, values)))


def _in_a_gap(moments: Array, seen: Array, sampled: Array) -> bool:
    """Return whether one of the ``moments`` in the window lies in a long gap of ``seen`` samples.

    A gap up to the end of the window is one like others: the object may have gone on.
    """
    longest = max(MAX_GAP, 1.5 * float(np.median(np.diff(sampled))))
    ends = np.append(seen, sampled[-1])
    after = np.clip(np.searchsorted(ends, moments), 1, len(seen))
    inside = (moments > ends[after - 1]) & (moments < ends[after])
    return bool((inside & (ends[after] - ends[after - 1] > longest)).any())


def _places(times: Array, places: Array, moments: Array) -> Array:
    """Return the places ``(M, 3)`` at moments: weighted lines through the samples around them."""
    after = np.clip(np.searchsorted(times, moments), 1, len(times) - 1)
    beside = np.maximum(moments - times[after - 1], times[after] - moments)
    reach = np.maximum(AVERAGED, 1.001 * beside)
    if len(times) <= MAX_DENSE:
        return _weighted(times, places, moments, reach)
    ends = np.searchsorted(times, [moments - reach, moments + reach]).T.tolist()
    parts = [slice(low, high) for low, high in ends]
    found = zip(parts, moments[:, np.newaxis], reach[:, np.newaxis], strict=True)
    return np.vstack([_weighted(times[part], places[part], *around) for part, *around in found])


def _weighted(times: Array, places: Array, moments: Array, reach: Array) -> Array:
    """Return :func:`_places` of samples that weigh less the farther they are, up to ``reach``."""
    reach = reach[:, np.newaxis]
    lag = times - moments[:, np.newaxis]
    weight = np.maximum(1.0 - np.abs(lag) / reach, 0.0)
    total = weight.sum(axis=1, keepdims=True)
    first = (weight * lag).sum(axis=1, keepdims=True)
    second = (weight * lag * lag).sum(axis=1, keepdims=True)
    share = weight * (second - first * lag) / (total * second - first * first)
    return np.asarray(share @ places)
