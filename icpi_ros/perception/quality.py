"""Quality of an object's path: good enough to learn from, or not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.types import ObjectTrajectory


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
        (coverage > 0.0, "the object was never seen"),
        (
            coverage >= limits.min_coverage,
            f"seen in {coverage:.0%} of the samples, at least {limits.min_coverage:.0%} needed",
        ),
        (
            longest <= limits.max_gap,
            f"not seen for {longest:.2f} s, at most {limits.max_gap:g} s allowed",
        ),
        (
            end <= limits.max_end_gap,
            f"not seen in the last {end:.2f} s, at most {limits.max_end_gap:g} s allowed",
        ),
        (
            residual <= limits.max_residual,
            f"residual {1e3 * residual:.1f} mm, at most {1e3 * limits.max_residual:g} mm allowed",
        ),
        (
            rate >= limits.min_rate,
            f"{rate:.1f} measured frames per second, at least {limits.min_rate:g} needed",
        ),
    )
    reason = next((text for passed, text in checks if not passed), None)
    return Quality(coverage, longest, residual, rate, reason)


def judge_pose(trajectory: ObjectTrajectory) -> Quality:
    """Return the quality of a path that a tracking system measured: its task judges the rest."""
    longest, _ = _gaps(trajectory)
    nan = float("nan")
    return Quality(trajectory.coverage, longest, nan, nan, None)


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
