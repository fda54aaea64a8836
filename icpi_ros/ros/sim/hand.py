"""The gripper of a simulated scene, moved by orders and by the clock of a motion."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from icpi_ros.core.types import SECOND
from icpi_ros.sim.controller_orders import Event, MotionState
from icpi_ros.sim.world import World

STOPPED = (MotionState.ABORTED, MotionState.CANCELLED, MotionState.REPLACED, MotionState.REJECTED)
"""States of a motion that ended otherwise than as planned."""


@dataclass(frozen=True)
class HandOrder:
    """One order to the gripper; without label, and neither open nor close: forget what is bound.

    Attributes:
        opens: open or close now; None = neither.
        label: of the motion that is to open it.
        moment: in that motion [ns].
        answer: called once it was obeyed.
        arrival: steady time at which it came [s].
    """

    opens: bool | None = None
    label: str = ""
    moment: int = 0
    answer: Callable[[], None] = lambda: None
    arrival: float = field(default_factory=time.monotonic)


class Hand:
    """Gripper of one world; used by one thread.

    Args:
        world: the scene.
        report: takes label, state and time [ns] of what becomes of a bound opening.
    """

    def __init__(self, world: World, report: Callable[[str, str, int], None]) -> None:
        self._world, self._report = world, report
        self._bound: HandOrder | None = None
        self._begun = False

    def take(self, order: HandOrder, ns: int) -> None:
        """Obey an order at simulated time ``ns``."""
        if order.label:
            self._bound, self._begun = order, False
            self._report(order.label, "accepted", ns)
        elif order.opens:
            self._world.open_gripper(ns / SECOND)
        else:
            self._bound = None
            self._world.close_gripper()
        order.answer()

    def see(self, events: Iterable[Event]) -> None:
        """Look at what became of motions: one of them may be the bound one."""
        for event in events:
            if self._bound is None or event.label != self._bound.label:
                continue
            if event.state is MotionState.ACCEPTED:
                self._begun = True
                self._world.open_gripper((event.ns + self._bound.moment) / SECOND)
            elif event.state in STOPPED:
                self._forget(event)

    def look(self, ns: int) -> None:
        """Report the opening once it is over."""
        if self._bound is not None and self._begun and not self._world.gripped:
            self._report(self._bound.label, "done", ns)
            self._bound = None

    def _forget(self, event: Event) -> None:
        """Keep it closed: its motion does not go on."""
        if self._bound is not None:
            self._report(self._bound.label, "cancelled", event.ns)
            self._bound = None
            self._world.close_gripper()
