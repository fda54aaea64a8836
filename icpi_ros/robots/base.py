"""Arm: the seam of kinematics and limits; ports drive it."""

from __future__ import annotations

import copy
import math
import re
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np

from icpi_ros.core.errors import InvalidValue, Kind, Refusal, UnknownName
from icpi_ros.core.types import Array
from icpi_ros.core.yaml_files import shown

_LOWER = ("lower", "workspace_lower")
"""Limits that are tighter when they are larger; all others when they are smaller."""
_FIXED = "tool_mass"
"""A property of the tool, no limit that could be tightened."""
_PREFIX = re.compile(r"[A-Za-z0-9_/.-]*")


@dataclass(frozen=True)
class ArmLimits:
    """Limits that no motion may exceed; all required, none may be left out.

    Attributes:
        lower, upper: joint positions ``(n,)`` [rad].
        velocity: ``(n,)`` [rad/s].
        acceleration: ``(n,)`` [rad/s^2].
        workspace_lower, workspace_upper: box for the tool point ``(3,)`` [m], frame ``base``.
        tool_speed: largest speed of the tool point [m/s].
        tool_mass: mass of what moves with the last link: tool and payload [kg].
        tool_energy: largest kinetic energy 0.5 ``tool_mass`` speed^2 of it [J].
    """

    lower: Array
    upper: Array
    velocity: Array
    acceleration: Array
    workspace_lower: Array
    workspace_upper: Array
    tool_speed: float
    tool_mass: float
    tool_energy: float

    def __post_init__(self) -> None:
        """Refuse limits that limit nothing.

        Raises:
            ValueError: one is not finite, not positive, reversed, or has another shape.
        """
        n = len(self.lower)
        for name in ("lower", "upper", "velocity", "acceleration"):
            values = getattr(self, name)
            if values.shape != (n,) or not np.isfinite(values).all():
                raise ValueError(f"{name} must be {n} finite numbers, is {values}")
        if not (self.lower < self.upper).all():
            raise ValueError("lower joint limits must be below the upper ones")
        if not ((self.velocity > 0).all() and (self.acceleration > 0).all()):
            raise ValueError("velocity and acceleration limits must be positive")
        box = self.workspace_upper - self.workspace_lower
        if box.shape != (3,) or not (np.isfinite(box).all() and (box > 0).all()):
            raise ValueError("the workspace must be a finite box of three positive sides")
        for name in ("tool_speed", "tool_mass", "tool_energy"):
            if not 0.0 < getattr(self, name) < np.inf:
                raise ValueError(f"{name} must be positive and finite, is {getattr(self, name)}")

    @property
    def floor(self) -> float:
        """Height [m] in frame ``base`` below which no piece of the arm goes.

        The plane on which the base stands; for an arm on a pedestal, whose tool may go below
        its base, the floor of the workspace box.
        """
        return min(0.0, float(self.workspace_lower[2]))

    @property
    def tool_speed_allowed(self) -> float:
        """Largest speed of the tool point that keeps both its speed and its energy limit [m/s]."""
        return min(self.tool_speed, float(np.sqrt(2.0 * self.tool_energy / self.tool_mass)))

    def tightened(self, changes: Mapping[str, object], joints: Sequence[str]) -> ArmLimits:
        """Return these limits with some of them tightened; nothing can be loosened.

        Args:
            changes: any of ``lower``, ``upper``, ``velocity``, ``acceleration`` (one number for
                all joints or one for each), ``workspace_lower``, ``workspace_upper`` (one or
                three), ``tool_speed``, ``tool_energy``; units as the attributes.
            joints: names of the joints, for messages.

        Raises:
            UnknownName: a key that is no limit.
            InvalidValue: a value is not a finite number, there are too few or too many, it is
                looser than here (the message names key, joint and both values), or no motion
                would be left.
        """
        allowed = [f.name for f in fields(self) if f.name != _FIXED]
        new: dict[str, object] = {}
        for key, value in changes.items():
            if key not in allowed:
                raise UnknownName("limit", str(key), allowed)
            new[key] = self._tighter(key, value, joints)
        try:
            return replace(self, **new)  # type: ignore[arg-type]  # by name, from the fields
        except ValueError as exc:
            text = f"tightened limits leave no motion: {exc}"
            raise InvalidValue(Refusal(text, Kind.NO_MOTION)) from exc

    def _tighter(self, key: str, value: object, joints: Sequence[str]) -> Array | float:
        """Return ``value`` in the form of limit ``key``; see :meth:`tightened`."""
        own = np.atleast_1d(getattr(self, key))
        names = [""] if len(own) == 1 else [f" of {j}" for j in joints]
        if is_box := key in ("workspace_lower", "workspace_upper"):
            names = [" x", " y", " z"]
        values = _numbers(key, value, len(own))
        looser = values < own if key in _LOWER else values > own
        if looser.any():
            i = int(np.argmax(looser))
            text = (
                f"{key}{names[i]} = {values[i]:.9g} is looser than the arm's own {own[i]:.9g}: "
                "limits can only be tightened"
            )
            quantity, joint = f"{key}{names[i]}" if is_box else key, ""
            if len(own) > 1 and not is_box:
                joint = joints[i]
            limit = (float(own[i]), math.inf) if key in _LOWER else (-math.inf, float(own[i]))
            value = float(values[i])
            raise InvalidValue(Refusal(text, Kind.LOOSER, quantity, joint, value, limit, field=key))
        return float(values[0]) if np.ndim(getattr(self, key)) == 0 else values


def _numbers(key: str, value: object, count: int) -> Array:
    """Return ``(count,)`` finite numbers from one number or a list of them."""
    items = list(value) if isinstance(value, list | tuple | np.ndarray) else [value] * count
    numbers = [v for v in items if isinstance(v, int | float) and not isinstance(v, bool)]
    if len(numbers) != len(items) or len(items) != count or not np.isfinite(numbers).all():
        many = f" or a list of {count}" if count > 1 else ""
        text = f"{key} must be one finite number{many}, is {shown(value)}"
        raise InvalidValue(Refusal(text, Kind.FORM, key, value=value, field=key))
    return np.array(numbers, dtype=np.float64)


@dataclass(frozen=True)
class Capsule:
    """Piece of an arm's collision geometry, never smaller than the real one: points near a line.

    Attributes:
        name: of the piece, for messages.
        link: number of the link that carries it: 0 = the fixed base, i = moved by joint i.
        start, end: ``(3,)`` [m] ends of the line, in the link's frame; see :meth:`Arm.links`.
        radius: distance from the line [m].
    """

    name: str
    link: int
    start: Array
    end: Array
    radius: float


class Arm(ABC):
    """A serial arm with a tool; all maps are vectorised over leading axes."""

    name: str
    joints: tuple[str, ...]
    limits: ArmLimits
    home: Array
    """Joint positions ``(n,)`` [rad] at which simulation starts: clear of table and objects."""
    strike_deceleration: float = math.inf
    """Largest mean deceleration of the tool at the end of a strike [m/s^2]: an arm whose
    acceleration limits do not allow a task's own brakes over a longer way."""

    def __repr__(self) -> str:
        """Return one line: name and number of joints."""
        return f"<Arm {self.name}: {len(self.joints)} joints>"

    @property
    @abstractmethod
    def collision_geometry(self) -> tuple[Capsule, ...]:
        """Pieces of the arm and its tool, for the check against itself and the table."""

    @abstractmethod
    def links(self, q: Array) -> Array:
        """Return the frames ``(..., n + 1, 4, 4)`` of the links in frame ``base``.

        Link 0 is the base itself; the frame of link i has its origin on the axis of joint i and
        its z axis along it, and turns with joint i.
        """

    @abstractmethod
    def tool_pose(self, q: Array) -> tuple[Array, Array]:
        """Return tool point ``(..., 3)`` [m] and rotation ``(..., 3, 3)`` for q ``(..., n)``."""

    @abstractmethod
    def jacobian(self, q: Array) -> Array:
        """Return the geometric Jacobian ``(..., 6, n)`` of the tool point in frame ``base``."""

    def kinematics(self, q: Array) -> tuple[Array, Array, Array]:
        """Return :meth:`links`, :meth:`jacobian` and the point of :meth:`tool_pose` at once.

        An arm that makes all three of the same frames overrides it, for as long as none of them
        is overridden in turn: see :func:`maps_of`.
        """
        return self.links(q), self.jacobian(q), self.tool_pose(q)[0]

    @abstractmethod
    def ik(self, position: Array, rotation: Array) -> Array:
        """Return joint positions ``(..., n)`` [rad] on one fixed branch; NaN where unreachable."""

    def differential_ik(self, q: Array) -> Array:
        """Return joint velocities ``(..., n, 6)`` per unit of tool twist along :meth:`ik`.

        ``differential_ik(q) @ [v, w]`` is how the answer of :meth:`ik` at ``q`` changes when the
        wanted pose moves with ``v`` [m/s] and ``w`` [rad/s].  An arm of more than six joints
        overrides it: its inverse kinematics decide how the joints share the motion.
        """
        return np.asarray(np.linalg.inv(self.jacobian(q)), dtype=np.float64)


def maps_of(arm: Arm | type[Arm]) -> tuple[object, ...]:
    """Return the functions behind :meth:`Arm.links`, ``jacobian`` and ``tool_pose``."""
    return tuple(
        getattr(method, "__func__", method) for method in (arm.links, arm.jacobian, arm.tool_pose)
    )


def prefixed(arm: Arm, prefix: str) -> Arm:
    """Return the arm with ``prefix`` in front of every joint's name; the same arm if it is empty.

    Joint states, motions and tolerances all take their names from ``arm.joints``, so that nothing
    else needs to know of the prefix.

    Raises:
        InvalidValue: the prefix cannot be part of a joint's name.
    """
    if not prefix:
        return arm
    if not _PREFIX.fullmatch(prefix):
        text = (
            f"joint_prefix = {prefix!r} is not allowed: letters, digits and _ / . - alone, for "
            "example ur_"
        )
        field = "joint_prefix"
        raise InvalidValue(Refusal(text, Kind.FORM, field, value=prefix, field=field))
    named = copy.copy(arm)
    named.joints = tuple(f"{prefix}{joint}" for joint in arm.joints)
    return named
