"""Checks in space along a whole motion: tool, other pieces, the arm and itself."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import Kind, MotionRefused, Refusal
from icpi_ros.core.types import Array
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.robots.base import Arm, ArmLimits
from icpi_ros.robots.collision import CLEARANCE, CollisionGeometry

ROUNDING = 1e-7
"""A value this little outside a limit, in the limit's unit, is inside: what rounding and the
interpolation of exact points leave.  Nothing else is tolerated."""
PERIOD = 0.002
"""Time between two samples of the path [s]; less where it might cross a limit in between."""
PER_SEGMENT = 8
"""Fewest samples between two points, however near in time they are."""
ZOOM = 33
"""Samples of an interval in which a limit might be crossed between two samples."""
ZOOMS = 2
"""Divisions of such an interval: 2 ms become 8 us."""
SAFETY = 4.0
"""Factor on the excess of a value over its samples, as estimated from three of them."""
MAX_DIPS = 64
"""Most intervals sampled more finely; a motion that needs more is refused."""
MAX_ZOOMS = 200
"""Most steps sampled more finely for self-collision; a motion that needs more is refused."""


@dataclass(frozen=True)
class MotionSamples:
    """The arm at ``T`` instants.

    Attributes:
        times: ``(T,)`` [s].
        q: ``(T, n)`` joint positions [rad].
        links: ``(T, n + 1, 4, 4)`` frames.
        point: ``(T, 3)`` tool point [m].
        speed: ``(T,)`` of the tool point [m/s].
        lowest: ``(T, P)`` lowest points of the pieces that can come down [m].
    """

    times: Array
    q: Array
    links: Array
    point: Array
    speed: Array
    lowest: Array


class PathCheck:
    """Workspace box, table plane, tool speed and energy, self-collision of one arm."""

    def __init__(self, arm: Arm, limits: ArmLimits) -> None:
        self._arm = arm
        self.geometry = CollisionGeometry(arm)
        pieces = [self.geometry.pieces[i].name for i in self.geometry.free]
        self.floor = arm.limits.floor
        floor = np.full(len(pieces), self.floor)
        cap = limits.tool_speed_allowed
        self._low = np.concatenate([limits.workspace_lower, floor, [-np.inf]])
        self._high = np.concatenate([limits.workspace_upper, np.full(len(pieces), np.inf), [cap]])
        self._labels = ["tool x", "tool y", "tool z", *(f"lowest point of {p}" for p in pieces)]
        self._labels.append("tool speed")
        self._kinds = [Kind.WORKSPACE] * 3 + [Kind.FLOOR] * len(pieces) + [Kind.TOOL_SPEED]
        self._why = [""] * 3 + [": the table plane"] * len(pieces)
        by_energy = cap < limits.tool_speed
        self._why.append(
            f": {limits.tool_energy:g} J of {limits.tool_mass:g} kg" if by_energy else ""
        )

    def check(self, motion: JointTrajectory) -> None:
        """Refuse a motion that leaves a limit anywhere.

        Raises:
            MotionRefused: names the quantity, its value and the limit.
        """
        samples = self.samples(motion, grid(motion))
        self._refuse(motion, samples, ZOOMS)
        self._refuse_self_collision(motion, samples)

    def samples(self, motion: JointTrajectory, times: Array) -> MotionSamples:
        """Return the arm at ``times`` ``(T,)`` [s] of a motion."""
        q, qd, _ = motion.sample(times)
        links, jacobian, point = self._arm.kinematics(q)
        velocity = (jacobian[:, :3] @ qd[..., np.newaxis])[..., 0]
        return MotionSamples(
            times,
            q,
            links,
            point,
            np.linalg.norm(velocity, axis=1),
            self.geometry.lowest(links),
        )

    def _refuse(self, motion: JointTrajectory, samples: MotionSamples, zooms: int) -> None:
        """Refuse samples outside a limit; sample closer where it might be crossed in between."""
        values = np.concatenate(
            [samples.point, samples.lowest, samples.speed[:, np.newaxis]], axis=1
        )
        margins = np.minimum(values - self._low, self._high - values)
        outside = ~(margins >= -ROUNDING)
        if outside.any():
            row, column = np.argwhere(outside)[0]
            row = int(np.argmin(np.where(np.isnan(margins), -np.inf, margins)[:, column]))
            raise MotionRefused(self._refusal(column, float(values[row, column])))
        if zooms > 0:
            found = dips(samples.times, margins)
            if len(found) > MAX_DIPS:
                text = (
                    f"the motion grazes its limits at {len(found)} places, at most {MAX_DIPS} can "
                    "be checked: keep it farther from table and workspace"
                )
                limit = (0.0, float(MAX_DIPS))
                raise MotionRefused(
                    Refusal(text, Kind.UNCHECKABLE, "near misses", value=len(found), limit=limit)
                )
            for begin, end in found:
                closer = self.samples(motion, np.linspace(begin, end, ZOOM))
                self._refuse(motion, closer, zooms - 1)

    def _refusal(self, column: int, value: float) -> Refusal:
        kind, what, why = self._kinds[column], self._labels[column], self._why[column]
        limit = (float(self._low[column]), float(self._high[column]))
        return reaches(kind, what, value, limit, "m/s" if kind is Kind.TOOL_SPEED else "m", why)

    def _refuse_self_collision(self, motion: JointTrajectory, samples: MotionSamples) -> None:
        """Walk along the samples, only as far as the nearest pair allows without colliding."""
        travel = self._travel(samples)
        i, last, zooms = 0, len(travel) - 1, 0
        distance = self._distance(samples, 0)
        while i < last:
            free = travel[i] + distance - CLEARANCE
            ahead = min(int(np.searchsorted(travel, free, side="right")) - 1, last)
            step = max(ahead, i + 1)
            before, distance = distance, self._distance(samples, step)
            between = 0.5 * (before + distance - (travel[step] - travel[i]))
            if ahead <= i and between < CLEARANCE:
                zooms += 1
                self._zoom(motion, samples.times[i], samples.times[step], zooms)
            i = step

    def _zoom(self, motion: JointTrajectory, begin: float, end: float, zooms: int) -> None:
        """Sample closely a step in which pieces might come too near to each other."""
        if zooms > MAX_ZOOMS:
            text = (
                f"the arm stays within some millimetres of {CLEARANCE:g} m to itself for too "
                "long to be checked: keep its pieces farther apart"
            )
            limit = (0.0, float(MAX_ZOOMS))
            raise MotionRefused(
                Refusal(text, Kind.UNCHECKABLE, "near contacts", value=zooms, limit=limit)
            )
        closer = self.samples(motion, np.linspace(begin, end, ZOOM))
        for i in range(ZOOM):
            self._distance(closer, i)

    def _travel(self, samples: MotionSamples) -> Array:
        """Return the bound on the way of any point of the arm since the first sample [m]."""
        steps = np.abs(np.diff(samples.q, axis=0)) @ self.geometry.reach
        return np.concatenate([[0.0], np.cumsum(steps)])

    def _distance(self, samples: MotionSamples, i: int) -> float:
        """Return the smallest distance of two pieces at sample ``i`` [m]; refuse a smaller one."""
        distance, one, other = self.geometry.nearest(samples.links[i])
        if not distance >= CLEARANCE - ROUNDING:
            text = (
                f"{one} and {other} come within {max(distance, 0.0):.6f} m of each other: "
                f"allowed at least {CLEARANCE:g} m"
            )
            what, limit = f"distance of {one} and {other}", (CLEARANCE, np.inf)
            raise MotionRefused(
                Refusal(text, Kind.SELF_COLLISION, what, "", distance, limit, unit="m")
            )
        return distance


def reaches(
    kind: Kind,
    what: str,
    value: float,
    limit: tuple[float, float],
    unit: str,
    why: str = "",
    joint: str = "",
) -> Refusal:
    """Return the refusal of a value beyond ``limit``; ``why`` ends its text."""
    low, high = limit
    if np.isinf(low):
        allowed = f"at most {high:.8g}"
    elif np.isinf(high):
        allowed = f"at least {low:.8g}"
    else:
        allowed = f"{low:.8g} to {high:.8g}"
    whose = f"{what} of {joint}" if joint else what
    text = f"{whose} reaches {value:.8g} {unit}: allowed {allowed} {unit}{why}"
    return Refusal(text, kind, what, joint, value, limit, unit)


def grid(motion: JointTrajectory) -> Array:
    """Return the instants at which a motion is sampled [s], its points included."""
    begin, width = motion.times[:-1], np.diff(motion.times)
    counts = np.maximum(PER_SEGMENT, np.ceil(width / PERIOD)).astype(int)
    first = np.concatenate([[0], np.cumsum(counts)[:-1]])
    step = np.arange(counts.sum()) - np.repeat(first, counts)
    inside = np.repeat(begin, counts) + step * np.repeat(width / counts, counts)
    return np.append(inside, motion.times[-1])


def dips(times: Array, margins: Array) -> list[tuple[float, float]]:
    """Return intervals in which a margin might fall below 0 between two samples.

    Around every local minimum a parabola through three samples bounds how much lower the margin
    can be between them.

    Args:
        times: ``(T,)`` [s].
        margins: ``(T, C)``, all at least 0 but for rounding.

    Returns:
        Pairs (begin, end) [s], the smallest margins first.
    """
    width = np.diff(times)
    slope = np.diff(margins, axis=0) / width[:, np.newaxis]
    bend = np.diff(slope, axis=0) / (width[:-1] + width[1:])[:, np.newaxis]
    reach = 0.5 * np.maximum(width[:-1], width[1:])[:, np.newaxis]
    drop = SAFETY * np.abs(bend) * reach**2
    lower = margins - np.concatenate([drop[:1], drop, drop[-1:]])
    low = lower < -ROUNDING
    if not low.any():
        return []
    low[1:] &= margins[1:] <= margins[:-1]
    low[:-1] &= margins[:-1] <= margins[1:]
    rows, columns = np.nonzero(low)
    order = np.argsort(margins[rows, columns])
    rows = np.array(list(dict.fromkeys(rows[order].tolist())), dtype=int)
    before, after = np.maximum(rows - 1, 0), np.minimum(rows + 1, len(times) - 1)
    return list(zip(times[before].tolist(), times[after].tolist(), strict=True))
