"""Supervision of an arm: missing, unusable or doubtful joint states, distance from a path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from icpi_ros.core.types import Array, Tracking
from icpi_ros.ros.arm_ports.arm_feed import ArmState
from icpi_ros.ros.arm_ports.arm_port import ArmPort
from icpi_ros.ros.base.convert import MotionStatus


def is_recent(port: ArmPort, joint_state_timeout: float) -> bool:
    """Tell whether the last joint state is at most ``joint_state_timeout`` old [s]."""
    state = port.state
    return state is not None and state.age <= joint_state_timeout


def trouble(port: ArmPort, joint_state_timeout: float, limit: float) -> str:
    """Return why no motion can begin now, in one line; empty = it can.

    Args:
        port: the way to the arm.
        joint_state_timeout: steady time after which a joint state is of the past [s].
        limit: steady time that was waited for one [s].
    """
    if doubt := port.doubt:
        return unknown(doubt)
    state = port.state
    if state is None or state.age > joint_state_timeout:
        # States rarer than joint_state_timeout were not missing for all of ``limit``.
        rare = state is not None and state.age < limit
        return missing_states(port, joint_state_timeout if rare else limit)
    return "" if state.has_velocity else no_velocity(port)


def unknown(doubt: str) -> str:
    """Return the line for a client when joint states cannot be believed."""
    return f"the arm's state is unknown: {doubt}"


def no_velocity(port: ArmPort) -> str:
    """Return the line for a client when the arm's speed is unknown."""
    return f"the arm's speed is unknown: {port.unusable or 'too few joint states so far'}"


def moving(joints: Sequence[str], state: ArmState, seconds: float) -> str:
    """Return the line for a client when the arm went on moving for ``seconds`` [s]."""
    i = int(np.argmax(np.abs(state.qd)))
    return (
        f"the arm moves already: {joints[i]} at {state.qd[i]:.3f} rad/s for {seconds:g} s: "
        "see what else drives it"
    )


def missing_states(port: ArmPort, seconds: float) -> str:
    """Return the line for a client when no usable joint state came for ``seconds`` [s]."""
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
    """Return why the controller gave a motion up, to be added to a reason; empty = it did not.

    The report may come after the arm was seen off its path.
    """
    status = port.status(label, "aborted") if label else None
    return "" if status is None else f"; the controller had ended the motion ({ended(status)})"


def ended(status: MotionStatus) -> str:
    """Return how a motion ended, and the reason if there is one."""
    return f"{status.state}: {status.reason}" if status.reason else status.state
