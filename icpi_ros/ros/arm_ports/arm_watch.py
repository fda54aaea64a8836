"""What is told of an arm: silence, states that cannot be used or believed, distance from a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from icpi_ros.core.types import Array, Tracking
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.arm_ports.arm_port import ArmPort
from icpi_ros.ros.base.convert import MotionStatus


def heard(port: ArmPort, silence: float) -> bool:
    """Tell whether the last joint state is of the present, at most ``silence`` old [s]."""
    state = port.state
    return state is not None and state.age <= silence


def trouble(port: ArmPort, silence: float, limit: float) -> str:
    """Return why no motion can begin now, in one line; empty = it can.

    Args:
        port: the way to the arm.
        silence: steady time after which a joint state is of the past [s].
        limit: steady time that was waited for one [s].
    """
    if doubt := port.doubt:
        return unknown(doubt)
    state = port.state
    if state is None or state.age > silence:
        # One that is rarer than the limit to silence is not silent for as long as was waited.
        rare = state is not None and state.age < limit
        return silent(port, silence if rare else limit)
    return "" if state.has_velocity else no_velocity(port)


def unknown(doubt: str) -> str:
    """Return what the client reads when states cannot be believed."""
    return f"the arm's state is unknown: {doubt}"


def no_velocity(port: ArmPort) -> str:
    """Return the same when nothing is known of the arm's speed."""
    return f"the arm's speed is unknown: {port.unusable or 'too few joint states so far'}"


def silent(port: ArmPort, seconds: float) -> str:
    """Return the same when no joint state came for so long [s]: what arrives, if anything does."""
    if reason := port.unusable:
        return f"no usable joint state for {seconds:g} s: {reason}"
    return f"no joint state for {seconds:g} s: is the arm's driver running?"


def worst(known: Tracking, joints: Sequence[str], off: Array, elapsed: float) -> Tracking:
    """Return the worse of what is known and ``off`` ``(n,)`` [rad], ``elapsed`` after the start."""
    i = int(np.argmax(off))
    if off[i] <= known.error:  # a first one is compared with NaN
        return known
    return replace(known, error=float(off[i]), joint=joints[i], time=elapsed)


def arrived(state: ArmState, goal: Array, end: int, tolerance: float) -> bool:
    """Tell whether the arm stands at ``goal`` ``(n,)``, ``tolerance`` [rad], at ``end`` [ns]."""
    near = np.abs(state.q - goal).max() < tolerance
    return bool(state.ns >= end and near and state.stands)


def distance(joints: Sequence[str], state: ArmState, off: Array) -> str:
    """Return which joint is furthest off, ``off`` ``(n,)`` [rad], and how fast the arm is."""
    i = int(np.argmax(off))
    return f"{joints[i]} is {off[i]:.4f} rad away at {float(np.abs(state.qd).max()):.3f} rad/s"


def cause(port: ArmPort, label: str) -> str:
    """Return that and why the controller gave a motion up, to be added to a reason; empty = no.

    It may be heard after the arm was seen off its path.
    """
    status = port.status(label, "aborted") if label else None
    return "" if status is None else f"; the controller had ended the motion ({ended(status)})"


def ended(status: MotionStatus) -> str:
    """Return how a motion ended, and why if that was said."""
    return f"{status.state}: {status.reason}" if status.reason else status.state
