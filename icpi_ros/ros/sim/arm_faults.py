"""Faults that the simulated arm can be given, to see what the rest makes of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from rcl_interfaces.msg import SetParametersResult
from rclpy.node import Node
from rclpy.parameter import Parameter

from icpi_ros.core.types import Array
from icpi_ros.settings.table import find

PARAMETERS = ("fault", "fault_motion", "fault_after")
DRIFT_SPEED = 0.1
"""Joint speed of an arm that tracks badly [rad/s]."""
CAUGHT_UP = 1e-3
"""Distance at which it has caught up again [rad]."""


class Fault(StrEnum):
    """Faults; each is described in docs/controller.md."""

    REJECT = "reject"
    ABORT = "abort"
    SILENT = "silent"
    DRIFT = "drift"
    LATE = "late"
    PROTECTIVE_STOP = "protective_stop"
    INACTIVE = "inactive"


BEGUN_LATER = (Fault.ABORT, Fault.SILENT, Fault.DRIFT, Fault.PROTECTIVE_STOP)
"""Faults that begin while the arm moves."""


@dataclass(frozen=True)
class FaultPlan:
    """One fault (None = none), in which motion from rest (from 1), how long after its start [s]."""

    kind: Fault | None = None
    motion: int = 1
    after: float = 0.0


def plan_of(values: Mapping[str, Any]) -> FaultPlan:
    """Return the fault that the parameters ask for."""
    kind = Fault(values["fault"]) if values["fault"] else None
    return FaultPlan(kind, values["fault_motion"], values["fault_after"])


def follow_parameters(node: Node, take: Callable[[FaultPlan], None]) -> None:
    """Give every new plan to ``take`` while the node runs; motions are counted anew with each."""

    def check(changed: Sequence[Parameter]) -> SetParametersResult:
        values = {name: node.get_parameter(name).value for name in PARAMETERS}
        new = {item.name: item.value for item in changed if item.name in values}
        name, allowed = (values | new)["fault"], find("fault").choices
        if name not in allowed:
            reason = f"fault = {name!r} is not allowed: one of {', '.join(allowed)}"
            return SetParametersResult(successful=False, reason=reason)
        if new:
            take(plan_of(values | new))
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(check)


class Faults:
    """Count of motions from rest, and the fault that is due; used by one thread."""

    def __init__(self, plan: FaultPlan) -> None:
        self._plan = plan
        self._count = 0
        self._armed = False
        self.silent = False
        """True while joint states are withheld."""
        self.protected = False
        """True while a protective stop refuses motions."""
        self._lagging: Array | None = None
        self._behind = False

    def clear(self) -> None:
        """Mend what stays broken: missing joint states and the protective stop."""
        self.silent = self.protected = False

    def begins(self) -> Fault | None:
        """Count a motion from rest; return the fault that it meets at once, None = none."""
        self._count += 1
        hit = self._count == self._plan.motion
        self._armed = hit and self._plan.kind in BEGUN_LATER
        return self._plan.kind if hit and not self._armed else None

    @property
    def delay(self) -> float:
        """Delay with which the next motion from rest is taken [steady s]."""
        plan = self._plan
        return plan.after if plan.kind is Fault.LATE and self._count + 1 == plan.motion else 0.0

    def due(self, elapsed: float) -> Fault | None:
        """Return the fault that begins ``elapsed`` [s] after the motion's start, once."""
        if not self._armed or elapsed < self._plan.after:
            return None
        self._armed = False
        return self._plan.kind

    def drift(self, q: Array) -> None:
        """Track badly from the command ``q`` [rad] on."""
        self._lagging, self._behind = q, False

    def distort(self, q: Array, qd: Array, dt: float) -> tuple[Array, Array]:
        """Return what the servos make of a command in ``dt`` [s]: ``(n,)`` [rad] and [rad/s].

        It only changes while they track badly: until they have caught up with a command that
        stands, once they were behind one.
        """
        if self._lagging is None:
            return q, qd
        step = np.clip(q - self._lagging, -DRIFT_SPEED * dt, DRIFT_SPEED * dt)
        self._lagging = self._lagging + step
        distorted = self._lagging
        near = bool(np.abs(q - distorted).max() < CAUGHT_UP)
        if self._behind and near and not qd.any():
            self._lagging = None
        self._behind = self._behind or not near
        return distorted, np.zeros_like(qd)
