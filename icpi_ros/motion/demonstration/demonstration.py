"""Geometry of a demonstrated motion, taken apart from its timing.

A hand is slow and trembles: its timing, scaled up, breaks every acceleration limit.  So only two
things are kept of the timing: the place of peak speed, and that speed.  The geometry is the
joint path of least bending that keeps the tool near where it was shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.types import Array, Indices
from icpi_ros.motion.demonstration.recording import JointRecording
from icpi_ros.robots.base import Arm

TOLERANCE = 0.003
"""Largest distance of the smoothed path from the shown one, of the tool [m]."""
STATIONS = 129
"""Samples of the path over its length."""
TURN_RADIUS = 0.05
"""Way that a joint's turn of 1 rad counts where the tool itself stands still [m]."""
SMOOTHING_TIME = 0.12
"""Window over which a recording is smoothed in time [s]."""
MIN_SPEED, MIN_PEAK = 0.004, 0.03
"""Speed below which the tool rests, and least peak speed of a motion [m/s]."""
NOISE_FACTOR, PEAK_SHARE = 5.0, 0.03
"""It moves above this many times the noise of its speed, and above this share of its peak."""
REST_TIME, END_REST, END_SHARE = 0.3, 0.1, 0.1
"""Rest between two motions [s]; least rest before and after one [s], unless the recording begins
and ends slower than this share of its peak: a plan is from rest to rest without any."""
MARGIN = 0.4
"""Rest that is kept before and after the motion of a recording [s]."""
FIDGET_SHARE = 0.1
"""Motions shorter than this share of the longest are ignored."""
DIP_SHARE, DIP_SIDE = 0.15, 0.3
"""The tool turns back or pauses where it is slower than this share of its peak, if beyond that
it is faster than that share again."""
MAX_LENGTH = 3.0
"""Longest path [m]."""


@dataclass(frozen=True)
class Demonstration:
    """A demonstrated path over its own length, and its fastest moment.

    The length is the tool's, and :data:`TURN_RADIUS` for the turning of the joints, so that no
    part of a path has no length.

    Attributes:
        arm: name of the arm that was shown the motion.
        joints: names, ``n`` of them.
        stations: ``(M,)`` [m], from 0, evenly spaced.
        positions: ``(M, n)`` joints at the stations [rad]; straight on at both ends.
        peak: station of the largest tool speed [m].
        speed: that speed as demonstrated [m/s].
        components: ``(k, M, n)`` principal components of several demonstrations, one standard
            deviation each [rad]; none of a single one.
        remarks: lines about what was left out.
    """

    arm: str
    joints: tuple[str, ...]
    stations: Array
    positions: Array
    peak: float
    speed: float
    components: Array
    remarks: tuple[str, ...] = ()

    @property
    def length(self) -> float:
        """Length of the path [m]."""
        return float(self.stations[-1])


def demonstration_of(recordings: Sequence[JointRecording], arm: Arm) -> Demonstration:
    """Return the geometry of one motion that was demonstrated once or several times.

    Several are averaged place by place, where a place is the share of the way to the peak, or
    behind it; what they differ in becomes the components.

    Raises:
        InvalidValue: one line: a recording has no motion or several, begins or ends in motion,
            or is of other joints.
    """
    if not recordings:
        raise InvalidValue(Refusal("a motion needs at least one recording", Kind.MISSING))
    several = len(recordings) > 1
    found = []
    for number, recording in enumerate(recordings, 1):
        if recording.joints != arm.joints:
            text = f"recording is of joints {recording.joints}, arm {arm.name} has {arm.joints}"
            raise InvalidValue(
                Refusal(text, Kind.WRONG_JOINTS, "joints", value=recording.joints, limit=arm.joints)
            )
        found.append(_shown_once(recording, arm, f"recording {number}: " if several else ""))
    return _average(found) if several else found[0]


def motion_alone(recording: JointRecording, arm: Arm) -> JointRecording:
    """Return a recording of one motion with only :data:`MARGIN` of rest before and after it.

    Raises:
        InvalidValue: it has no motion or several, or begins or ends in motion.
    """
    smooth, noise = _smoothed(recording, arm)
    begin, end = _whole_motion(smooth, noise, "")[0]
    first, last = smooth.times[begin] - MARGIN, smooth.times[end - 1] + MARGIN
    return recording.between(float(first), float(last))


def path_spline(stations: Array, positions: Array) -> Any:
    """Return the quintic spline through rows of ``positions`` at ``stations``: a BSpline."""
    from scipy.interpolate import make_interp_spline  # its import takes 0.2 s

    return make_interp_spline(stations, positions, k=5)


def local_cubic(window: int, order: int, step: float) -> Array:
    """Return what a window of samples is convolved with for a derivative of its middle.

    It is that of the cubic with the least squares through them (Savitzky and Golay), as of
    ``scipy.signal``, whose import would take longer than all of a demonstration's reading.
    """
    from scipy.linalg import lstsq

    half = window // 2
    powers = np.arange(half, -half - 1, -1.0) ** np.arange(4)[:, np.newaxis]
    wanted = np.zeros(4)
    wanted[order] = 1.0 / step**order  # times the factorial of the order, which is 1
    weights: Array = lstsq(powers, wanted)[0]
    return weights


class _Moving(NamedTuple):
    """Part of a recording, smoothed in time: ``speed`` of the tool, ``pace`` along the path."""

    times: Array
    q: Array
    speed: Array
    pace: Array


def _shown_once(recording: JointRecording, arm: Arm, prefix: str) -> Demonstration:
    smooth, noise = _smoothed(recording, arm)
    part, remarks = _moving_part(smooth, noise, prefix)
    q, pace = smooth.q[part], smooth.pace[part]
    steps = 0.5 * (pace[1:] + pace[:-1]) * np.diff(smooth.times[part])
    way = np.concatenate([[0.0], np.cumsum(np.maximum(steps, 1e-9))])
    if way[-1] > MAX_LENGTH:
        text = f"{prefix}the path is {way[-1]:.2f} m long: at most {MAX_LENGTH:g} m are allowed"
        raise InvalidValue(
            Refusal(text, Kind.OUT_OF_BOUNDS, "length", value=way[-1], limit=(0.0, MAX_LENGTH))
        )
    stations = np.linspace(0.0, way[-1], STATIONS)
    shown = np.stack([np.interp(stations, way, column) for column in q.T], axis=1)
    fastest = int(np.argmax(smooth.speed[part]))
    speed = float(smooth.speed[part][fastest])
    if speed < MIN_SPEED:
        text = (
            f"{prefix}the tool point turns on the spot, it is never faster than {speed:.4f} m/s: "
            f"a motion needs {MIN_SPEED:g} m/s there; show one in which it moves"
        )
        raise InvalidValue(Refusal(text, Kind.NO_MOTION, "tool speed", value=speed, unit="m/s"))
    return Demonstration(
        arm.name,
        recording.joints,
        stations,
        least_bent(stations, shown, arm),
        float(way[fastest]),
        speed,
        np.empty((0, *shown.shape)),
        (*recording.remarks, *remarks),
    )


def _smoothed(recording: JointRecording, arm: Arm) -> tuple[_Moving, float]:
    """Return a recording smoothed in time, and the noise of its pace [m/s]."""
    from scipy.interpolate import make_interp_spline
    from scipy.ndimage import convolve1d

    step = float(np.clip(np.median(np.diff(recording.times)), 0.002, 0.02))
    times = np.arange(0.0, recording.times[-1], step)
    even = make_interp_spline(recording.times, recording.positions, k=3)(times)
    window = max(2 * round(0.5 * SMOOTHING_TIME / step) + 1, 7)
    q = convolve1d(even, local_cubic(window, 0, step), axis=0, mode="nearest")
    slopes = local_cubic(window, 1, step)
    qd = convolve1d(even, slopes, axis=0, mode="nearest")
    jacobian = arm.jacobian(q)[:, :3]
    speed = np.linalg.norm((jacobian @ qd[..., np.newaxis])[..., 0], axis=1)
    pace = np.hypot(speed, TURN_RADIUS * np.linalg.norm(qd, axis=1))
    spread = 1.4826 * np.median(np.abs(even - q), axis=0)
    slope = np.linalg.norm(slopes)
    lever = np.linalg.norm(jacobian, axis=1).max(axis=0) + TURN_RADIUS
    return _Moving(times, q, speed, pace), float(np.linalg.norm(spread * slope * lever))


def _moving_part(smooth: _Moving, noise: float, prefix: str) -> tuple[slice, list[str]]:
    """Return the samples of the motion up to where it turns, and remarks about what is left out."""
    (begin, end), fidgets = _whole_motion(smooth, noise, prefix)
    remarks = [f"{prefix}{fidgets} small movements beside the motion are ignored"] * bool(fidgets)
    first, last = _without_turns(smooth.speed, begin, end)
    for cut, a, b in ((first > begin, begin, first), (last < end, last, end)):
        if cut:
            span = f"{smooth.times[a]:.2f} to {smooth.times[b - 1]:.2f} s"
            remarks.append(f"{prefix}{span} are left out: the tool turns or pauses there")
    return slice(first, last), remarks


def _whole_motion(smooth: _Moving, noise: float, prefix: str) -> tuple[tuple[int, int], int]:
    """Return begin and end of the one motion, and the number of small movements beside it."""
    times, pace = smooth.times, smooth.pace
    peak = float(pace.max())
    threshold = max(MIN_SPEED, NOISE_FACTOR * noise, PEAK_SHARE * peak)
    if peak < max(MIN_PEAK, 2.0 * threshold):
        text = (
            f"{prefix}nothing moves: the tool is never faster than {peak:.3f} m/s, a motion needs "
            f"{max(MIN_PEAK, 2.0 * threshold):.3f} m/s"
        )
        raise InvalidValue(Refusal(text, Kind.NO_MOTION, "tool speed", value=peak, unit="m/s"))
    spans = _spans(times, np.flatnonzero(pace > threshold))
    ways = [float(np.trapezoid(pace[a:b], times[a:b])) for a, b in spans]
    kept = [s for s, way in zip(spans, ways, strict=True) if way > FIDGET_SHARE * max(ways)]
    if len(kept) > 1:
        raise _several(times, kept, prefix)
    begin, end = kept[0]
    rests = ((times[begin], 0, "begins"), (times[-1] - times[end - 1], -1, "ends"))
    for rest, edge, word in rests:
        if rest < END_REST and pace[edge] > END_SHARE * peak:
            text = (
                f"{prefix}the recording {word} in motion: hold the arm at rest for {END_REST:g} s "
                "and more before and after the motion, or choose a part with --between T0,T1"
            )
            raise InvalidValue(Refusal(text, Kind.NOT_AT_REST, "rest", value=float(rest), unit="s"))
    return (begin, end), len(spans) - 1


def _spans(times: Array, moving: Indices) -> list[tuple[int, int]]:
    """Return begin and end of every motion; a rest shorter than REST_TIME is part of one."""
    rests = np.flatnonzero(np.diff(times[moving]) > REST_TIME)
    first, last = moving[np.append(0, rests + 1)], moving[np.append(rests, -1)]
    return [(int(a), int(b) + 1) for a, b in zip(first, last, strict=True)]


def _several(times: Array, spans: list[tuple[int, int]], prefix: str) -> InvalidValue:
    """Return the refusal of several motions, with the times of each and a choice."""
    where = ", ".join(f"{times[a]:.2f} to {times[b - 1]:.2f} s" for a, b in spans)
    low = max(times[spans[0][0]] - 0.5 * REST_TIME, 0.0)
    high = 0.5 * (times[spans[0][1] - 1] + times[spans[1][0]])
    text = (
        f"{prefix}there are {len(spans)} motions, {where}: choose one, for example with "
        f"--between {low:.2f},{high:.2f}"
    )
    return InvalidValue(Refusal(text, Kind.DUPLICATE, "motions", value=len(spans)))


def _without_turns(speed: Array, begin: int, end: int) -> tuple[int, int]:
    """Return the part around the peak in which the tool neither turns back nor pauses."""
    top = begin + int(np.argmax(speed[begin:end]))
    before = _turn(speed[begin : top + 1][::-1], speed[top])
    behind = _turn(speed[top:end], speed[top])
    return (begin if before is None else top - before), (end if behind is None else top + behind)


def _turn(speed: Array, peak: float) -> int | None:
    """Return the slowest place from the peak on, up to where it is fast again; None = never is."""
    slow = np.flatnonzero(speed < DIP_SHARE * peak)
    if not len(slow):
        return None
    fast = np.flatnonzero(speed[slow[0] :] > DIP_SIDE * peak)
    if not len(fast):
        return None
    return int(slow[0] + np.argmin(speed[slow[0] : slow[0] + fast[0]]))


def least_bent(stations: Array, shown: Array, arm: Arm) -> Array:
    """Return the joint path ``(M, n)`` of least bending within :data:`TOLERANCE` of the tool.

    A natural cubic smoothing spline: straight on at both ends, where it can be continued.
    """
    from scipy.interpolate import make_smoothing_spline

    points = arm.tool_pose(shown)[0]
    weights = np.ones(len(stations))
    weights[0] = 100.0  # where it starts, beside the object, is what was meant
    unit = stations / stations[-1]
    best, low, high = shown, -9.0, 2.0
    for _ in range(12):
        middle = 0.5 * (low + high)
        tried = make_smoothing_spline(unit, shown, weights, lam=10.0**middle)(unit)
        off = np.linalg.norm(arm.tool_pose(tried)[0] - points, axis=1).max()
        if off <= TOLERANCE:
            best, low = tried, middle
        else:
            high = middle
    return np.asarray(best)


def _average(found: Sequence[Demonstration]) -> Demonstration:
    """Return the mean of several demonstrations, with what they differ in as components."""
    share = float(np.mean([one.peak / one.length for one in found]))
    length = float(np.mean([one.length for one in found]))
    stations = np.linspace(0.0, length, STATIONS)
    paths = np.stack([_aligned(one, stations / length, share) for one in found])
    mean = paths.mean(axis=0)
    apart = (paths - mean).reshape(len(found), -1) / np.sqrt(len(found) - 1)
    _, sizes, modes = np.linalg.svd(apart, full_matrices=False)
    first = found[0]
    kept = sizes[: len(found) - 1]
    components = (kept[:, np.newaxis] * modes[: len(kept)]).reshape(-1, *mean.shape)
    remarks = tuple(line for one in found for line in one.remarks)
    peak, speed = share * length, float(np.mean([one.speed for one in found]))
    return Demonstration(first.arm, first.joints, stations, mean, peak, speed, components, remarks)


def _aligned(one: Demonstration, shares: Array, peak: float) -> Array:
    """Return its joints where its share of the way, with its peak moved to ``peak``, is asked."""
    own = one.peak / one.length
    # A quadratic through (0, 0), (peak, own) and (1, 1): smooth, so that the path stays smooth.
    bend = float(np.clip((own - peak) / (peak * (1.0 - peak)), -0.9, 0.9))
    moved = shares + bend * shares * (1.0 - shares)
    return np.asarray(path_spline(one.stations, one.positions)(moved * one.length))
