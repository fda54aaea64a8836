"""Joints of an arm in one message of joint states, or the reason why it cannot be used."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.types import Array

MAX_NAMED = 12
"""Joint names that a message about them shows."""
MAX_LAYOUTS = 32
"""Layouts of messages that are remembered: every device on the topic has one of its own."""


class UnusableState(InvalidValue):
    """A joint state without the arm's position; ``foreign``: it names none of its joints."""

    def __init__(self, reason: str | Refusal, foreign: bool = False) -> None:
        super().__init__(reason)
        self.foreign = foreign


@dataclass(frozen=True)
class JointReading:
    """Joints of an arm as one message has them.

    Attributes:
        q: ``(n,)`` positions [rad].
        qd: ``(n,)`` velocities [rad/s]; all NaN where the message has none (REP-117).
        prefix: what stands in front of the joints' names in the message and was not asked for.
    """

    q: Array
    qd: Array
    prefix: str


@dataclass(frozen=True)
class _Layout:
    """Indices of an arm's joints in messages with the same names, or the ``reason`` for none."""

    order: tuple[int, ...] = ()
    prefix: str = ""
    reason: str | None = None
    foreign: bool = False


def read_joints(
    names: Sequence[str],
    positions: Sequence[float],
    velocities: Sequence[float],
    joints: Sequence[str],
) -> JointReading:
    """Return the joints of one arm, in the order of ``joints``.

    Args:
        names: of all joints in the message; other devices' among them.
        positions: of all these [rad].
        velocities: the same [rad/s]; empty, or not finite, where the driver does not know them.
        joints: names of the arm's joints.

    Raises:
        UnusableState: joints are missing or named twice, sizes do not fit, or a position is not
            a finite number; the message names it.
    """
    layout = _layout(tuple(names), tuple(joints))
    if layout.reason is not None:
        raise UnusableState(layout.reason, layout.foreign)
    for what, values in (("positions", positions), ("velocities", velocities)):
        if len(values) != len(names) and (what == "positions" or len(values)):
            text = f"joint_states have {len(names)} names and {len(values)} {what}"
            raise UnusableState(Refusal(text, Kind.FORM, what, value=len(values), field=what))
    order = list(layout.order)
    q = np.asarray(positions, dtype=np.float64)[order]
    if not np.isfinite(q).all():
        worst = int(np.argmin(np.isfinite(q)))
        joint, value = joints[worst], float(q[worst])
        text = f"joint_states say that {joint} is at {value} rad"
        raise UnusableState(
            Refusal(text, Kind.NOT_FINITE, "position", joint, value, unit="rad", field="positions")
        )
    qd = np.full(len(order), np.nan)
    if len(velocities):
        reported = np.asarray(velocities, dtype=np.float64)[order]
        if np.isfinite(reported).all():  # some of them alone would lag behind the others' estimates
            qd = reported
    return JointReading(q, qd, layout.prefix)


@lru_cache(MAX_LAYOUTS)
def _layout(names: tuple[str, ...], joints: tuple[str, ...]) -> _Layout:
    """Return where the joints are; computed once for every list of names."""
    if set(joints) <= set(names):
        return _order(names, joints, "")
    found = sorted(
        prefix
        for name in names
        if name.endswith(joints[0]) and (prefix := name.removesuffix(joints[0]))
        if all(f"{prefix}{joint}" in names for joint in joints)
    )
    if len(set(found)) == 1:
        return _order(names, tuple(f"{found[0]}{joint}" for joint in joints), found[0])
    if found:
        several = ", ".join(sorted(set(found)))
        return _Layout(
            reason=f"joint_states hold several arms of these joints, with the prefixes {several}: "
            f"choose one with joint_prefix, for example joint_prefix:={found[0]}"
        )
    missing = [joint for joint in joints if joint not in names]
    # One name alone may be alike by chance: "gripper_joint1" is no joint of an arm with "joint1".
    alike = Counter(
        name.removesuffix(joint) for name in names for joint in joints if name.endswith(joint)
    )
    foreign = max(alike.values(), default=0) < min(2, len(joints))
    return _Layout(
        reason=f"joint_states lack {_some(missing)}; they name {_some(names)}", foreign=foreign
    )


def _order(names: tuple[str, ...], joints: tuple[str, ...], prefix: str) -> _Layout:
    twice = [joint for joint in joints if names.count(joint) > 1]
    if twice:
        return _Layout(reason=f"joint_states name {_some(twice)} more than once in one message")
    return _Layout(tuple(names.index(joint) for joint in joints), prefix)


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:MAX_NAMED]) or "no joint"
    more = len(names) - MAX_NAMED
    return f"{shown} and {more} more" if more > 0 else shown
