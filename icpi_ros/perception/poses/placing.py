"""The way from a tracker's frame, unit and clock to ours, or the reason why there is none."""

from __future__ import annotations

from icpi_ros.core.errors import InvalidValue, Kind, Refusal
from icpi_ros.core.text import printable
from icpi_ros.core.types import SECOND, Array
from icpi_ros.perception.poses.frames import (
    BASE,
    MAX_FRAMES,
    MAX_MOVING,
    FrameTree,
    Transform,
    frame_name,
    length,
)
from icpi_ros.perception.poses.losses import Loss
from icpi_ros.perception.poses.scene_size import INSIDE
from icpi_ros.perception.poses.settings import PoseSettings
from icpi_ros.settings.poses import POSE_RECEIVED, POSE_UNITS

MAX_DELAY = 1.0
"""Longest time from a measurement to its arrival [s]: a longer one is another clock."""
MAX_AHEAD = 0.1
"""Longest time by which a stamp may be ahead of its arrival [s]."""
DOUBTED = 2.0
"""Time for which poses are doubted before and after one in another unit [s]: near the tracker's
origin millimetres read like metres."""
NEAR = 0.5
"""Largest distance, in those at which no object is, that speaks for another unit."""
MAX_NAMED = 8
"""Frames that a message names."""
MAX_NAME = 80
"""Characters of each."""


class NotPlaced(InvalidValue):
    """A pose whose frame, unit or clock is another than ours; ``loss``: which of them."""

    def __init__(self, loss: Loss, reason: Refusal) -> None:
        super().__init__(reason)
        self.loss = loss


class Placing:
    """The way of poses into frame ``base``, metres and the clock of the trial windows.

    Args:
        far: distance from the origin of ``base`` at which no object is [m].

    Attributes:
        settings: as they were given.
        tree: of frames, from /tf and /tf_static.
        foreign: a pose came whose frame is not ``base`` and for which no transform is given: /tf
            is needed.
    """

    def __init__(self, far: float) -> None:
        self.settings = PoseSettings()
        self.tree = FrameTree()
        self.foreign = False
        self._far = far
        self._doubted: int | None = None
        self._other = ""

    def time_of(self, ns: int, received: int | None) -> int:
        """Return the time of a pose that counts [ns]: its stamp, or its arrival.

        A pose whose stamp is of another clock is not used; it counts as lost when it arrived.
        """
        if received is None:
            return ns
        other = self.settings.stamps == POSE_RECEIVED or _is_other_clock(ns, received)
        return received if other else ns

    def check_clock(self, ns: int, received: int | None) -> None:
        """Check that a stamp is of this computer's clock, where the time of arrival is known.

        Raises:
            NotPlaced: it is not, and stamps count.
        """
        if self.settings.stamps == POSE_RECEIVED:
            if received is None:
                raise _refused(
                    Loss.CLOCK,
                    "pose_stamps is 'received', but times of arrival are those of another clock "
                    "here (simulated time, or a bag without them): leave it at 'measured'",
                )
            return
        if ns == 0:
            raise _refused(
                Loss.CLOCK,
                "poses are not stamped (time 0): have the tracker's node stamp them, or choose "
                "their time of arrival with pose_stamps:=received (late by the delay)",
            )
        if received is not None and _is_other_clock(ns, received):
            offset = (ns - received) / SECOND
            how = f"{_span(abs(offset))} {'ahead of' if offset > 0.0 else 'behind'}"
            raise _refused(
                Loss.CLOCK,
                f"stamps of poses are {how} this computer's clock (a server's uptime, or clocks "
                "that are not synchronised): synchronise them (chrony, PTP), or choose the time of "
                "arrival with pose_stamps:=received (late by the delay)",
                offset,
                "s",
            )

    def place(self, position: Array, frame: str | None, ns: int) -> Array:
        """Return a position ``(3,)`` [m] in ``base``.

        Args:
            position: ``(3,)`` in ``frame`` and the unit of the settings.
            frame: a frame id; None = ``base``.
            ns: the time that counts [ns].

        Raises:
            NotPlaced: no transform is known, or the unit does not fit.
        """
        transform = self._transform(frame, ns)
        placed = _moved(transform, position * self.settings.scale)
        away = length(placed)
        if away > self._far:
            raise self._too_far(position, transform, away, ns)
        if transform is None and self.settings.scale < 1.0 and away < INSIDE:
            raise _refused(
                Loss.UNIT,
                f"a pose is {1e3 * away:.3g} mm from the arm's foot, where the arm itself is: is "
                f"its unit {self.settings.unit}, as pose_unit says?",
                away,
                "m",
            )
        if self._doubted is not None and 0 <= ns - self._doubted <= DOUBTED * SECOND:
            raise _refused(
                Loss.UNIT, f"poses before this one were of another unit: give {self._other}"
            )
        self._doubted = None
        return placed

    def _too_far(
        self, position: Array, transform: Transform | None, away: float, ns: int
    ) -> NotPlaced:
        """Return the refusal of a pose that is ``away`` [m], with the unit that would fit."""
        smaller = sorted((f, u) for u, f in POSE_UNITS.items() if f < self.settings.scale)
        moved = {unit: length(_moved(transform, position * scale)) for scale, unit in smaller}
        fits = {unit: there for unit, there in moved.items() if there <= NEAR * self._far}
        if fits:
            self._doubted, self._other = ns, " or ".join(f"pose_unit:={unit}" for unit in fits)
            told = " or ".join(f"{there:.3g} m if its unit is {u}" for u, there in fits.items())
            return _refused(
                Loss.UNIT,
                f"a pose is {away:.4g} m from the arm's foot, {told}: give {self._other}",
                away,
                "m",
            )
        return _refused(
            Loss.UNIT,
            f"a pose is {away:.4g} m from the arm's foot, at most {self._far:g} m can be: check "
            "the unit (pose_unit) and the frame (pose_transform)",
            away,
            "m",
        )

    def _transform(self, frame_id: str | None, ns: int) -> Transform | None:
        """Return the pose of a frame in ``base``; None = it is ``base``.

        Raises:
            NotPlaced: it is not known.
        """
        if frame_id is None:
            return None
        frame, given = frame_name(frame_id), self.settings.transform
        if frame == BASE:
            if given is not None:
                raise _refused(
                    Loss.FRAME,
                    "poses are in frame 'base' already, and pose_transform is given: leave it out, "
                    "or have the tracker's node name its own frame",
                )
            return None
        if given is not None:
            return given
        self.foreign = bool(frame)
        found = self.tree.pose(frame, ns) if frame else None
        if found is None:
            raise _refused(Loss.FRAME, self._no_way(frame))
        return found

    def _no_way(self, frame: str) -> str:
        give = (
            "give the pose of the tracker's frame in base with pose_transform:=x,y,z,qx,qy,qz,qw "
            "(0,0,0,0,0,0,1 where it is base)"
        )
        if not frame:
            return f"poses have no frame_id: {give}"
        known = self.tree.names()
        if self.tree.full:
            give += f"; of the frames told, the first {MAX_FRAMES} ({MAX_MOVING} moving) are kept"
        frame = frame[:MAX_NAME]
        if frame in known and BASE in known:
            return (
                f"poses are in frame {frame!r}, and /tf has no transform from it to 'base' at "
                f"their time: have it published, or {give}"
            )
        missing = BASE if frame in known else frame
        there = ", ".join(printable(name)[:MAX_NAME] for name in known[:MAX_NAMED]) or "none"
        return (
            f"poses are in frame {frame!r}, not 'base', and /tf does not know {missing!r} (its "
            f"frames: {there}): publish a static transform from 'base' to {frame!r}, or {give}"
        )


def _moved(transform: Transform | None, point: Array) -> Array:
    return point if transform is None else transform.apply(point)


def _is_other_clock(ns: int, received: int) -> bool:
    late = (received - ns) / SECOND
    return not -MAX_AHEAD <= late <= MAX_DELAY


def _refused(loss: Loss, text: str, value: float | None = None, unit: str = "") -> NotPlaced:
    return NotPlaced(
        loss, Refusal(text, Kind.FORM, f"{loss.value} of poses", value=value, unit=unit)
    )


def _span(seconds: float) -> str:
    """Return a length of time in words, coarse where it is long."""
    return f"{seconds:.3g} s" if seconds < 1e5 else f"{seconds / 86400.0:.3g} days"
