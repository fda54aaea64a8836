"""Port to an arm: checked motions go out, their status and the arm's state come in.

Two adapters, one file each: :mod:`icpi_ros.ros.arm_ports.topic_port` (the controller's trajectory
topic) and :mod:`icpi_ros.ros.arm_ports.action_port` (FollowJointTrajectory).  Only trajectories
that passed the safety gate can be sent.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

from icpi_ros.motion.carried_stop import CarriedTrajectory
from icpi_ros.motion.safety import CheckedTrajectory
from icpi_ros.ros.arm_ports.arm_feed import ArmFeed, ArmState
from icpi_ros.ros.base.convert import MotionStatus


@dataclass(frozen=True)
class MotionCommand:
    """A checked motion to send; it replaces whatever motion runs.

    Attributes:
        motion: that passed the gate.
        label: that no other motion has.
        start_ns: its start on the arm's clock [ns]; in the past: it has begun already; 0 = now.
        joined: leave out its first point: the controller joins from what it commands.
        message: of this motion, from :meth:`ArmPort.write`; None = it is not written yet.
    """

    motion: CheckedTrajectory
    label: str
    start_ns: int = 0
    joined: bool = False
    message: Any = None


class ArmPort(ABC):
    """Base of the adapters; callbacks write, one worker thread calls.

    Args:
        feed: of the arm.
    """

    def __init__(self, feed: ArmFeed) -> None:
        self._feed = feed

    @property
    def state(self) -> ArmState | None:
        """The newest joint state; None until there is one."""
        return self._feed.state

    @property
    def received(self) -> int:
        """Number of joint states that were taken so far."""
        return self._feed.received

    @property
    def now(self) -> int:
        """The arm's clock at this moment, estimated [ns]."""
        return self._feed.now

    @property
    def pace(self) -> float:
        """Pace of the arm's clock, arm's seconds per steady second."""
        return self._feed.pace

    @property
    def doubt(self) -> str:
        """Reason why the arm's state cannot be believed; empty = it can."""
        return self._feed.doubt

    @property
    def unusable(self) -> str:
        """Reason why arriving joint states cannot be used; empty = none arrives."""
        return self._feed.unusable

    def label(self, name: str) -> str:
        """Return a label that no other motion has."""
        return self._feed.label(name)

    @property
    @abstractmethod
    def controller_seen(self) -> bool:
        """True if the graph has a controller of that name; nothing is asked, nothing chosen."""

    @property
    @abstractmethod
    def has_controller(self) -> bool:
        """True if a controller takes motions."""

    @property
    @abstractmethod
    def answers(self) -> bool:
        """True if the controller reports the status of motions."""

    @property
    @abstractmethod
    def reports_start(self) -> bool:
        """True if the report "accepted" of a motion always has its exact start."""

    @abstractmethod
    def write(self, motion: CheckedTrajectory) -> Any:
        """Return the message that :meth:`send` would send, for later."""

    @abstractmethod
    def send(self, command: MotionCommand) -> None:
        """Start a checked motion."""

    @abstractmethod
    def hold(
        self, label: str, attempt: int = 0, path: CarriedTrajectory | None = None, start_ns: int = 0
    ) -> float:
        """Stop without a checked path, whatever is known: the last resort, never refused here.

        Returns how long that takes [s]; every further ``attempt`` is gentler.

        Args:
            label: that no other motion has.
            attempt: from 0.
            path: what to send where the motion under way is known; None = it is not.
            start_ns: the begin of ``path`` on the arm's clock [ns].
        """

    @abstractmethod
    def cancel(self) -> bool:
        """Give up whatever moves the arm, wherever that is; False = this way has no such thing."""

    @abstractmethod
    def exact(self, label: str) -> bool:
        """Tell whether the start in the report "accepted" of a motion is exact."""

    @abstractmethod
    def status(self, label: str, *states: str) -> MotionStatus | None:
        """Return the last report of one of ``states`` about a motion; None so far."""
