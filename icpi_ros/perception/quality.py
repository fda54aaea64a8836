"""Quality of an object's path: good enough to learn from, or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import ObjectTrajectory
from icpi_ros.tasks.camera_target import Agility

BRIDGE = 0.06
"""Longest time between two measurements between which the object counts as seen [s]."""
BRIDGED_PERIODS = 1.1
"""The same of poses, in periods of the slowest tracker; a little jitter is in it."""


@dataclass(frozen=True)
class QualitySettings:
    """Limits that a trajectory must keep.

    Attributes:
        min_coverage: share of samples that are present.
        max_gap: longest time without a position [s]; an arm may hide the object for 0.3 s.
        max_end_gap: the same at the end of the window [s]: where it stopped counts most.
        max_residual: root mean square distance of measurements from the path [m].
        min_rate: measured frames per second, gaps left out [Hz].
    """

    min_coverage: float = 0.5
    max_gap: float = 0.4
    max_end_gap: float = 0.1
    max_residual: float = 0.004
    min_rate: float = 15.0

    @classmethod
    def of(cls, agility: Agility | None) -> QualitySettings:
        """Return the limits for an object that moves like that; None = like a puck or ball."""
        if agility is None:
            return cls()
        return cls(max_gap=agility.max_gap, max_residual=agility.max_residual)


@dataclass(frozen=True)
class Quality:
    """Quality of a trajectory.

    Attributes:
        coverage: share of samples that are present, 0 to 1.
        longest_gap: longest time without a position [s].
        residual: root mean square distance of measurements from the path [m]; NaN = none.
        rate: measured frames per second, gaps left out [Hz]; NaN = fewer than two.
        reason: the limit that is broken, with its value; None if good.
    """

    coverage: float
    longest_gap: float
    residual: float
    rate: float
    reason: str | None

    @property
    def good(self) -> bool:
        """True if the trajectory may be learnt from; else the trial is repeated, never guessed."""
        return self.reason is None


def judge(
    trajectory: ObjectTrajectory,
    residual: float,
    rate: float,
    settings: QualitySettings | None = None,
) -> Quality:
    """Return the quality of ``trajectory``.

    Args:
        trajectory: missing samples are NaN.
        residual: of its measurements [m].
        rate: of its measurements [Hz].
        settings: limits.
    """
    limits = settings or QualitySettings()
    longest, end = _gaps(trajectory)
    coverage = trajectory.coverage
    checks = (
        *_gap_checks(coverage, f"seen in {coverage:.0%} of the samples", longest, end, limits),
        (
            residual <= limits.max_residual,
            f"residual {1e3 * residual:.1f} mm, at most {1e3 * limits.max_residual:g} mm allowed",
        ),
        _rate_check(rate, "measured frames", limits),
    )
    return Quality(coverage, longest, residual, rate, _first_broken(checks))


def judge_pose(
    trajectory: ObjectTrajectory, rate: float, settings: QualitySettings | None = None
) -> Quality:
    """Return the quality of a path that a tracking system measured.

    The limits are those of paths from a camera, but for the residual: nothing is smoothed.
    Between two poses near in time the object counts as seen, though the samples of a slow
    tracker's path stay missing.

    Args:
        trajectory: missing samples are NaN.
        rate: of its poses, gaps left out [Hz].
        settings: limits.
    """
    limits = settings or QualitySettings()
    longest, end = _gaps(trajectory)
    seen = _bridged(trajectory, max(BRIDGE, BRIDGED_PERIODS / limits.min_rate))
    checks = (
        _rate_check(rate, "poses", limits),
        *_gap_checks(seen, f"seen in {seen:.0%} of the window", longest, end, limits),
    )
    return Quality(trajectory.coverage, longest, float("nan"), rate, _first_broken(checks))


Check = tuple[bool, str]
"""Whether a limit is kept, and the words for where it is not."""


def _gap_checks(
    coverage: float, seen: str, longest: float, end: float, limits: QualitySettings
) -> tuple[Check, ...]:
    return (
        (coverage > 0.0, "the object was never seen"),
        (
            coverage >= limits.min_coverage,
            f"{seen}, at least {limits.min_coverage:.0%} needed",
        ),
        (
            longest <= limits.max_gap,
            f"not seen for {longest:.2f} s, at most {limits.max_gap:g} s allowed",
        ),
        (
            end <= limits.max_end_gap,
            f"not seen in the last {end:.2f} s, at most {limits.max_end_gap:g} s allowed",
        ),
    )


def _rate_check(rate: float, what: str, limits: QualitySettings) -> Check:
    text = f"{rate:.1f} {what} per second, at least {limits.min_rate:g} needed"
    return rate >= limits.min_rate, text


def _first_broken(checks: tuple[Check, ...]) -> str | None:
    return next((text for passed, text in checks if not passed), None)


def _bridged(trajectory: ObjectTrajectory, bridge: float) -> float:
    """Return the share of a path's time that lies between poses at most ``bridge`` [s] apart."""
    times = trajectory.times
    seen = times[np.isfinite(trajectory.positions).all(axis=1)]
    if len(times) < 2 or len(seen) < 2:
        return trajectory.coverage
    steps = np.diff(seen)
    return float(steps[steps <= bridge].sum() / (times[-1] - times[0]))


def _gaps(trajectory: ObjectTrajectory) -> tuple[float, float]:
    """Return the longest run of missing samples and the one at the end [s].

    A gap lasts from the sample before to the sample after it; at the ends of the window, to the
    first or last sample.
    """
    times = trajectory.times
    if len(times) == 0:
        return 0.0, 0.0
    seen = times[np.isfinite(trajectory.positions).all(axis=1)]
    if len(seen) == 0:
        whole = float(times[-1] - times[0])
        return whole, whole
    period = float(np.median(np.diff(times))) if len(times) > 1 else 0.0
    steps = np.concatenate([[seen[0] - times[0]], np.diff(seen), [times[-1] - seen[-1]]])
    steps[1:-1][steps[1:-1] < 1.5 * period] = 0.0
    return float(steps.max()), float(steps[-1])
