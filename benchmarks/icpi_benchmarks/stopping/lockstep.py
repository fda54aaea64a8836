"""Commands of the lock-step controller for trajectories that arrive at given moments.

How smooth they are is measured as an arm would feel it: on the commands themselves, one per
period, and not on the trajectories that were sent.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from icpi_ros.core.errors import MotionRefused
from icpi_ros.core.types import SECOND, Array
from icpi_ros.motion.trajectory import JointTrajectory
from icpi_ros.sim.controller_orders import Order
from icpi_ros.sim.trajectory_controller import ControllerOptions, TrajectoryController

SLOW = 0.02
"""Speed below which a joint has no direction that a step could be against [rad/s]."""
EPOCH = 100 * SECOND
"""Time of the controller's clock when a replay begins [ns]: 0 would mean "at once"."""


@dataclass(frozen=True)
class Arrival:
    """An order that reaches the controller ``at`` its clock [ns]; None = a cancel of its goal."""

    at: int
    order: Order | None


@dataclass(frozen=True)
class Smoothness:
    """The worst of some commands.

    Attributes:
        acceleration: largest acceleration [rad/s^2].
        share: the same as a share of the joint's limit.
        backward: largest step against the direction of the motion [rad].
    """

    acceleration: float = 0.0
    share: float = 0.0
    backward: float = 0.0

    def worse(self, other: Smoothness) -> Smoothness:
        """Return the worse of each."""
        return Smoothness(
            max(self.acceleration, other.acceleration),
            max(self.share, other.share),
            max(self.backward, other.backward),
        )


class LaggingServo:
    """Servos that follow their command late and not quite, as a controller measures them.

    Args:
        q: ``(n,)`` first command [rad].
        lag: delay [s].
        period: time between two commands [s].
        offset: ``(n,)`` constant error of the position [rad], or one number.
    """

    def __init__(self, q: Array, lag: float, period: float, offset: Array | float = 0.0) -> None:
        """Stand at ``q``."""
        self._offset = offset
        still = (q, np.zeros_like(q))
        # A command is for one period after the update that made it.
        self._queue = deque([still] * (1 + round(lag / period)))

    def move(self, q: Array, qd: Array) -> tuple[Array, Array]:
        """Take the next command; return position [rad] and velocity [rad/s] one period later."""
        self._queue.append((q, qd))
        self._queue.popleft()
        there, speed = self._queue[0]
        return there + self._offset, speed


def replay(
    options: ControllerOptions,
    arrivals: Sequence[Arrival],
    until: int,
    q: Array,
    lag: float = 0.0,
    offset: Array | float = 0.0,
) -> tuple[Array, Array]:
    """Return when commands are due ``(K,)`` [ns] and the commands ``(K, n)`` [rad].

    Args:
        options: of the controller.
        arrivals: what reaches it, in order; rejected orders change nothing.
        until: end of the replay on the controller's clock [ns]; it begins at :data:`EPOCH`.
        q: ``(n,)`` the position that is commanded and held at first [rad].
        lag: delay of the servos [s].
        offset: constant error of the measured position [rad].
    """
    period = options.period_ns
    servo = LaggingServo(q, lag, period / SECOND, offset)
    joints = next(a.order.trajectory.joints for a in arrivals if a.order is not None)
    controller = TrajectoryController(joints, q, options)
    left = list(arrivals)
    here, speed = q + offset, np.zeros_like(q)
    due, commands = [EPOCH - period, EPOCH], [q, q]
    for ns in range(EPOCH, until, period):
        while left and left[0].at <= ns:
            _deliver(controller, left.pop(0), ns)
        command, _ = controller.update(ns, here, speed)
        due.append(ns + period)
        commands.append(command.q)
        here, speed = servo.move(command.q, command.qd)
    return np.array(due), np.array(commands)


def _deliver(controller: TrajectoryController, arrival: Arrival, ns: int) -> None:
    if arrival.order is None:
        controller.cancel(ns)
        return
    try:
        controller.take(arrival.order, ns)
    except MotionRefused:
        return


def smoothness(
    due: Array,
    commands: Array,
    limit: Array,
    reference: JointTrajectory,
    start_ns: int,
    since: int = 0,
) -> Smoothness:
    """Return how smooth commands are.

    Args:
        due: ``(K,)`` when they are due [ns].
        commands: ``(K, n)`` [rad].
        limit: ``(n,)`` of the acceleration [rad/s^2].
        reference: gives the direction of the motion.
        start_ns: its start on the controller's clock [ns].
        since: commands that are due earlier do not count [ns].
    """
    commands, due = commands[due >= since], due[due >= since]
    period = (due[1] - due[0]) / SECOND
    steps = np.diff(commands, axis=0)
    bend = np.abs(np.diff(steps, axis=0)) / period**2
    middle = 0.5 * (due[:-1] + due[1:])
    _, ahead, _ = reference.sample((middle - start_ns) / SECOND)
    back = np.where(np.abs(ahead) > SLOW, -steps * np.sign(ahead), 0.0)
    return Smoothness(
        float(bend.max(initial=0.0)),
        float((bend / limit).max(initial=0.0)),
        float(back.max(initial=0.0)),
    )
