"""Tree of coordinate frames as /tf and /tf_static tell it, and poses moved along it; no ROS."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from math import cos, hypot, sin
from typing import Any

import numpy as np

from icpi_ros.core.types import SECOND, Array

BASE = "base"
"""Frame of all positions here: the foot of the arm."""
NORM_TOLERANCE = 0.01
"""Largest distance of a quaternion's norm from 1 in a transform."""
MAX_AGE = 0.2
"""Largest distance in time of a moving frame's transform from the pose that it moves [s]."""
STILL = 0.005
"""Way that a moving frame may have gone between a pose and the transform that moves it [m]; of its
angle the same number, in rad: both are errors of the position."""
MAX_FRAMES = 2000
"""Frames that are remembered."""
MAX_MOVING = 200
"""Those among them that move: each has a past."""
MAX_DEPTH = 64
"""Longest way between two frames; a longer one is a ring."""
MAX_PAST = 500
"""Transforms that are remembered of a moving frame."""
MAX_TOLD = 500
"""Messages that wait for the next pose, of moving frames and of others."""


@dataclass(frozen=True)
class Transform:
    """Pose of one frame in another: ``rotation`` ``(3, 3)``, ``translation`` ``(3,)`` [m]."""

    rotation: Array
    translation: Array

    @classmethod
    def of(cls, translation: Sequence[float], quaternion: Sequence[float]) -> Transform | None:
        """Return the transform of a translation [m] and a quaternion x, y, z, w.

        None: a number is not finite, or the norm is not 1.
        """
        numbers = np.array([*translation, *quaternion], dtype=np.float64)
        if not np.isfinite(numbers).all():
            return None
        norm = float(np.linalg.norm(numbers[3:]))
        if abs(norm - 1.0) > NORM_TOLERANCE:
            return None
        x, y, z, w = numbers[3:] / norm
        rotation = np.array(
            [
                [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
                [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
                [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
            ]
        )
        return cls(rotation, numbers[:3])

    @classmethod
    def of_numbers(cls, numbers: Sequence[float]) -> Transform | None:
        """Return the transform x, y, z, then a quaternion or three angles; None = it is none."""
        if len(numbers) == 6:
            return cls.of(numbers[:3], _quaternion(*numbers[3:]))
        return cls.of(numbers[:3], numbers[3:]) if len(numbers) == 7 else None

    def __matmul__(self, other: Transform) -> Transform:
        """Return the pose in the outer frame of what ``other`` is in this one."""
        return Transform(self.rotation @ other.rotation, self.apply(other.translation))

    @property
    def inverse(self) -> Transform:
        """The outer frame's pose in this one."""
        return Transform(self.rotation.T, -self.rotation.T @ self.translation)

    def apply(self, point: Array) -> Array:
        """Return a point ``(3,)`` [m] of this frame in the outer one."""
        return np.asarray(self.rotation @ point + self.translation)


SAME = Transform(np.eye(3), np.zeros(3))
"""Transform between a frame and itself."""


def _quaternion(roll: float, pitch: float, yaw: float) -> tuple[float, float, float, float]:
    """Return x, y, z, w of turns about the fixed axes x, y, z, in this order [rad]."""
    a, b, c = cos(roll / 2), cos(pitch / 2), cos(yaw / 2)
    d, e, f = sin(roll / 2), sin(pitch / 2), sin(yaw / 2)
    x, y = d * b * c - a * e * f, a * e * c + d * b * f
    return x, y, a * b * f - d * e * c, a * b * c + d * e * f


def frame_name(frame_id: object) -> str:
    """Return a frame's name without the slash that ROS 1 wrote before it."""
    return str(frame_id).strip().lstrip("/")


@dataclass
class _Link:
    """Frame's place in its parent: the last transforms, oldest first; None = it never moves."""

    parent: str
    fixed: Transform | None
    past: deque[tuple[int, Transform]]


class FrameTree:
    """Tree of frames; takes the messages of /tf and /tf_static.

    Attributes:
        full: more frames were told than are remembered.
    """

    def __init__(self) -> None:
        self._links: dict[str, _Link] = {}
        self._moving = set[str]()
        self.full = False

    def learn(self, msg: Any, fixed: bool) -> None:
        """Take a ``TFMessage``; transforms that are none (NaN, norm not 1) are left out.

        Args:
            msg: or any message with its fields.
            fixed: it is of /tf_static.
        """
        for item in msg.transforms:
            child, parent = frame_name(item.child_frame_id), frame_name(item.header.frame_id)
            moved, turned = item.transform.translation, item.transform.rotation
            made = Transform.of(
                (moved.x, moved.y, moved.z), (turned.x, turned.y, turned.z, turned.w)
            )
            if made is None or not child or not parent or child == parent:
                continue
            link = self._links.get(child)
            if link is None or link.parent != parent or fixed:
                if not self._has_room(child, fixed):
                    self.full = True
                    continue
                past: deque[tuple[int, Transform]] = deque(maxlen=MAX_PAST)
                link = self._links[child] = _Link(parent, made if fixed else None, past)
                (self._moving.discard if fixed else self._moving.add)(child)
            if link.fixed is None:
                stamp = item.header.stamp
                link.past.append((int(stamp.sec) * SECOND + int(stamp.nanosec), made))

    def _has_room(self, child: str, fixed: bool) -> bool:
        if child not in self._links and len(self._links) >= MAX_FRAMES:
            return False
        return fixed or child in self._moving or len(self._moving) < MAX_MOVING

    def pose(self, frame: str, ns: int) -> Transform | None:
        """Return the pose of ``frame`` in ``base`` at ``ns`` [ns].

        None: no way leads there, or a moving frame on it was not told near that time.
        """
        up, down = self._ways(frame), self._ways(BASE)
        shared = next((name for name in up if name in down), None)
        if shared is None:
            return None
        ours, base = self._to(shared, up, ns), self._to(shared, down, ns)
        return None if ours is None or base is None else base.inverse @ ours

    def names(self) -> list[str]:
        """Return the frames that are known."""
        return sorted({*self._links, *(link.parent for link in self._links.values())})

    def _ways(self, frame: str) -> list[str]:
        """Return a frame, its parent, and so on to the root."""
        found = [frame]
        while found[-1] in self._links and len(found) < MAX_DEPTH:
            found.append(self._links[found[-1]].parent)
        return found

    def _to(self, ancestor: str, way: list[str], ns: int) -> Transform | None:
        """Return the pose of the first frame of a way in one of its ancestors."""
        made = SAME
        for name in way[: way.index(ancestor)]:
            link = self._links[name]
            step = link.fixed if link.fixed is not None else _nearest(link.past, ns)
            if step is None:
                return None
            made = step @ made
        return made


class FrameMessages:
    """Messages about frames that wait for the next pose: the last ones.

    What never moves is told once: it stays however many messages come meanwhile.
    """

    def __init__(self) -> None:
        self._moving = deque[Any](maxlen=MAX_TOLD)
        self._fixed = dict[tuple[str, ...], Any]()

    def add(self, msg: Any, fixed: bool) -> None:
        """Keep a message, of /tf_static if ``fixed``."""
        if not fixed:
            self._moving.append(msg)
            return
        children = tuple(str(item.child_frame_id) for item in msg.transforms)
        self._fixed.pop(children, None)  # the last one counts, at its place in the order
        if len(self._fixed) < MAX_TOLD:
            self._fixed[children] = msg

    def take(self) -> tuple[tuple[Any, bool], ...]:
        """Return the messages since the last call, each with whether it is of /tf_static."""
        found = [(msg, True) for msg in self._fixed.values()]
        found += [(msg, False) for msg in self._moving]
        self._fixed.clear()
        self._moving.clear()
        return tuple(found)


def _nearest(past: deque[tuple[int, Transform]], ns: int) -> Transform | None:
    """Return the transform that was told nearest to ``ns``.

    None: none near enough, or the frame moves so fast that it was elsewhere at ``ns``.
    """
    recent = list(takewhile(lambda told: told[0] > ns - SECOND, reversed(past)))
    best = min(range(len(recent)), key=lambda at: abs(recent[at][0] - ns), default=None)
    if best is None:
        return None
    age = abs(recent[best][0] - ns)
    return None if age > MAX_AGE * SECOND or _moves(recent, best, age) else recent[best][1]


def _moves(recent: list[tuple[int, Transform]], at: int, age: int) -> bool:
    """Tell whether a frame moves by more than is still in ``age`` [ns] about its transform ``at``.

    Its speed is that to the transforms before and after which are at least as far away: those
    that come in bursts tell none.
    """
    told, made = recent[at]
    for side in (range(at - 1, -1, -1), range(at + 1, len(recent))):
        others = (recent[n] for n in side)
        away = next((o for o in others if abs(o[0] - told) >= max(age, 1)), None)
        if away and age * _way(made, away[1]) > STILL * abs(away[0] - told):
            return True
    return False


def _way(a: Transform, b: Transform) -> float:
    """Return the larger of the way [m] and about the angle [rad] between two transforms."""
    return max(length(b.translation - a.translation), float(np.abs(b.rotation - a.rotation).max()))


def length(v: Array) -> float:
    """Return the length of a vector ``(3,)``, without the price of numpy's."""
    x, y, z = v.tolist()
    return hypot(x, y, z)
