"""Recording of an arm's joints while it is shown a motion."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm

MAX_GAP = 0.1
"""Longest time between two samples [s]."""
MIN_SAMPLES, MAX_SAMPLES = 40, 200_000
"""Fewest and most samples of a recording."""
JUMP_FACTOR, JUMP_SLACK = 2.0, 0.01
"""A joint that moves faster than this many times its speed limit, and by more than this [rad],
between two samples jumped: its driver wrapped it by 2 pi, or samples were lost."""


@dataclass(frozen=True)
class JointRecording:
    """Joint positions of one arm over time.

    Attributes:
        joints: names, ``n`` of them.
        times: ``(T,)`` [s], first 0, strictly increasing.
        positions: ``(T, n)`` [rad].
        remarks: lines about what was left out on the way here.
    """

    joints: tuple[str, ...]
    times: Array
    positions: Array
    remarks: tuple[str, ...] = ()

    def between(self, first: float, last: float) -> JointRecording:
        """Return the part from ``first`` to ``last`` [s], whose times begin at 0 again.

        Raises:
            InvalidValue: there are too few samples in it.
        """
        inside = (self.times >= first) & (self.times <= last)
        if np.count_nonzero(inside) < MIN_SAMPLES:
            text = (
                f"between = {first:g},{last:g} s leaves {np.count_nonzero(inside)} samples of a "
                f"recording from 0 to {self.times[-1]:.2f} s: at least {MIN_SAMPLES} are needed"
            )
            limit = (0.0, float(self.times[-1]))
            raise InvalidValue(
                Refusal(text, Kind.OUT_OF_BOUNDS, "between", "", (first, last), limit, "s")
            )
        times = self.times[inside]
        return JointRecording(self.joints, times - times[0], self.positions[inside], self.remarks)


def recording_of(
    names: Sequence[str],
    times: Array,
    positions: Array,
    arm: Arm,
    source: str = "recording",
    row: Callable[[int], str] = "sample {}".format,
) -> JointRecording:
    """Return the recording of the arm's joints out of columns of all joints.

    Args:
        names: of all joints, other devices' among them.
        times: ``(T,)`` [s], from any begin.
        positions: ``(T, len(names))`` [rad].
        arm: whose joints are looked for; all names of them may have one common prefix.
        source: of the columns, for messages.
        row: name of the sample with an index, for messages.

    Raises:
        InvalidValue: one line: joints are missing, a value is not finite, times do not increase
            or have a gap, a joint jumps or leaves the arm's limits, there are too few samples.
    """
    prefix = _required_prefix(names, arm, source)
    wanted = [f"{prefix}{joint}" for joint in arm.joints]
    columns = [list(names).index(name) for name in wanted]
    q = np.asarray(positions, dtype=np.float64)[:, columns]
    stamps = np.asarray(times, dtype=np.float64)
    check = _Check(arm, source, row)
    check.count(len(stamps))
    check.finite(stamps, q)
    stamps = stamps - stamps[0]
    check.times(stamps)
    check.positions(stamps, q)
    left = [name for name in names if name not in wanted]
    remarks = (f"{source}: joints of other devices are ignored: {', '.join(left)}",) if left else ()
    return JointRecording(arm.joints, stamps, q, remarks)


def arm_prefix(names: Sequence[str], arm: Arm) -> str | None:
    """Return the prefix that all joints of the arm have in ``names``; None = there is no one."""
    if set(arm.joints) <= set(names):
        return ""
    whole = _prefixes(names, arm)
    return whole[0] if len(whole) == 1 else None


def _prefixes(names: Sequence[str], arm: Arm) -> list[str]:
    first = arm.joints[0]
    ends = {name.removesuffix(first) for name in names if name.endswith(first)}
    return sorted(p for p in ends if all(f"{p}{joint}" in names for joint in arm.joints))


def _required_prefix(names: Sequence[str], arm: Arm, source: str) -> str:
    twice = sorted({name for name in names if list(names).count(name) > 1})
    if twice:
        text = f"{source}: joints are named more than once: {', '.join(twice)}"
        raise InvalidValue(Refusal(text, Kind.DUPLICATE, "joints", value=tuple(twice)))
    prefix = arm_prefix(names, arm)
    if prefix is not None:
        return prefix
    missing = ", ".join(joint for joint in arm.joints if joint not in names)
    text = (
        f"{source}: joints of arm {arm.name} are missing: {missing}; it has "
        f"{', '.join(names) or 'none'}: choose the arm that was recorded"
    )
    if whole := _prefixes(names, arm):
        text = f"{source}: several arms with the prefixes {', '.join(whole)}: leave one of them"
    raise InvalidValue(
        Refusal(text, Kind.WRONG_JOINTS, "joints", value=tuple(names), limit=arm.joints)
    )


@dataclass(frozen=True)
class _Check:
    """Checks of the columns of one arm; messages name the source and the row."""

    arm: Arm
    source: str
    row: Callable[[int], str]

    def count(self, samples: int) -> None:
        if not MIN_SAMPLES <= samples <= MAX_SAMPLES:
            text = f"{samples} samples: from {MIN_SAMPLES} to {MAX_SAMPLES} are allowed"
            limit = (float(MIN_SAMPLES), float(MAX_SAMPLES))
            raise self._refused(text, Kind.FORM, "samples", samples, limit)

    def finite(self, times: Array, q: Array) -> None:
        bad = ~np.isfinite(np.concatenate([times[:, np.newaxis], q], axis=1))
        if bad.any():
            at, column = map(int, np.argwhere(bad)[0])
            name = ("time", *self.arm.joints)[column]
            value = float(times[at] if column == 0 else q[at, column - 1])
            text = f"{self.row(at)}: {name} is {value}, must be a finite number"
            raise self._refused(text, Kind.NOT_FINITE, "time" if column == 0 else "position", value)

    def times(self, times: Array) -> None:
        steps = np.diff(times)
        if (steps <= 0.0).any():
            at = int(np.argmax(steps <= 0.0)) + 1
            what = "repeats" if steps[at - 1] == 0.0 else "lies before"
            text = f"{self.row(at)}: time {times[at]:.6f} s {what} the one before it"
            raise self._refused(text, Kind.TIMES, "time", float(times[at]), unit="s")
        at = int(np.argmax(steps))
        if steps[at] > MAX_GAP:
            text = (
                f"{self.row(at + 1)}: gap of {steps[at]:.3f} s after {times[at]:.3f} s: at most "
                f"{MAX_GAP:g} s are allowed; record again, or choose a part with --between T0,T1"
            )
            raise self._refused(text, Kind.SPACING, "gap", float(steps[at]), (0.0, MAX_GAP), "s")

    def positions(self, times: Array, q: Array) -> None:
        limits = self.arm.limits
        beyond = np.maximum(limits.lower - q, q - limits.upper)
        if (beyond > 0.0).any():
            at, joint = np.unravel_index(int(np.argmax(beyond)), beyond.shape)
            value, low, high = float(q[at, joint]), limits.lower[joint], limits.upper[joint]
            text = (
                f"{self.row(int(at))}: {self.arm.joints[joint]} is {value:.6g} rad, allowed "
                f"{low:.6g} to {high:.6g}; angles must be in rad"
            )
            limit, name = (float(low), float(high)), self.arm.joints[joint]
            raise self._refused(text, Kind.JOINT_LIMIT, "position", value, limit, "rad", name)
        moved = np.abs(np.diff(q, axis=0))
        most = JUMP_FACTOR * limits.velocity * np.diff(times)[:, np.newaxis] + JUMP_SLACK
        if (moved > most).any():
            at, joint = np.argwhere(moved > most)[0]
            value, allowed = float(moved[at, joint]), float(most[at, joint])
            text = (
                f"{self.row(int(at) + 1)}: {self.arm.joints[joint]} jumps by {value:.3g} rad at "
                f"{times[at + 1]:.3f} s, more than {JUMP_FACTOR:g} times its speed limit"
            )
            name = self.arm.joints[joint]
            raise self._refused(text, Kind.SPACING, "jump", value, (0.0, allowed), "rad", name)

    def _refused(
        self,
        text: str,
        kind: Kind,
        quantity: str,
        value: float,
        limit: tuple[float, float] | None = None,
        unit: str = "",
        joint: str = "",
    ) -> InvalidValue:
        line = f"{self.source}: {text}"
        return InvalidValue(Refusal(line, kind, quantity, joint, value, limit, unit))
