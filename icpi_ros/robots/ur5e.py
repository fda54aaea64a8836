"""Universal Robots UR5e with a striking blade on the flange: ``config/arms/ur5e.yaml``, and more.

All numbers stand in that file.  What is here is exact where a described arm is iterative: the
closed-form inverse after Hawkins, "Analytic Inverse Kinematics for the Universal Robots UR-5/UR-10
Arms" (Georgia Tech, 2013).  Frame: the Denavit-Hartenberg base frame (ROS ``base``; ``base_link``
is turned by 180 deg about z).
"""

from __future__ import annotations

import numpy as np

from icpi_ros.core.resources import share_path
from icpi_ros.core.types import Array
from icpi_ros.core.yaml_files import read_yaml
from icpi_ros.robots.base import Arm, ArmLimits, Capsule, maps_of
from icpi_ros.robots.description.fields import ARM_FILE
from icpi_ros.robots.description.reading import load_arm
from icpi_ros.robots.kinematics import cross

_FILE = share_path("config", "arms", "ur5e.yaml")
_DESCRIPTION = load_arm(_FILE).description
_CONTENT = read_yaml(_FILE, ARM_FILE)  # checked by what has just loaded it
_DH = tuple((row["a"], row["alpha"], row["d"]) for row in _CONTENT["joints"])
"""Rows of a [m], alpha [rad], d [m]."""
D4, D6 = _DH[3][2], _DH[5][2]
A2, A3 = _DH[1][0], _DH[2][0]


class Ur5e(Arm):
    """UR5e; branch of the inverse: elbow up, wrist 2 at -90 deg when the tool points down."""

    name: str = "ur5e"
    tool_length: float = _CONTENT["tool"]["xyz"][2]
    """Distance from the flange to the tool point along the flange's z axis [m]."""
    joints: tuple[str, ...] = _DESCRIPTION.joints
    home: Array = _DESCRIPTION.home
    limits: ArmLimits = _DESCRIPTION.limits
    tool: tuple[Capsule, ...] = _DESCRIPTION.collision_geometry[len(_DH) :]
    """Pieces of the tool, in the frame of link 6."""

    @property
    def collision_geometry(self) -> tuple[Capsule, ...]:
        """See :attr:`Arm.collision_geometry`; one piece for each link, and the tool."""
        return (*_DESCRIPTION.collision_geometry[: len(_DH)], *self.tool)

    def links(self, q: Array) -> Array:
        """See :meth:`Arm.links`."""
        return _links(self._frames(q), q)

    def tool_pose(self, q: Array) -> tuple[Array, Array]:
        """See :meth:`Arm.tool_pose`."""
        frames = self._frames(q)
        return frames[-1][..., :3, 3], frames[-1][..., :3, :3]

    def jacobian(self, q: Array) -> Array:
        """See :meth:`Arm.jacobian`."""
        return _jacobian(self._frames(q))

    def kinematics(self, q: Array) -> tuple[Array, Array, Array]:
        """See :meth:`Arm.kinematics`."""
        if maps_of(self) != _MAPS:
            return super().kinematics(q)
        frames = self._frames(q)
        return _links(frames, q), _jacobian(frames), frames[-1][..., :3, 3]

    def ik(self, position: Array, rotation: Array) -> Array:
        """See :meth:`Arm.ik`."""
        flange = position - self.tool_length * rotation[..., :, 2]
        wrist = flange - D6 * rotation[..., :, 2]
        with np.errstate(invalid="ignore"):
            q1 = (
                np.arctan2(wrist[..., 1], wrist[..., 0])
                + np.arccos(D4 / np.hypot(wrist[..., 0], wrist[..., 1]))
                + np.pi / 2
            )
            s1, c1 = np.sin(q1), np.cos(q1)
            q5 = -np.arccos((flange[..., 0] * s1 - flange[..., 1] * c1 - D4) / D6)
            s5 = np.sin(q5)
            x, y = rotation[..., :, 0], rotation[..., :, 1]
            q6 = np.arctan2(
                (-y[..., 0] * s1 + y[..., 1] * c1) / s5, (x[..., 0] * s1 - x[..., 1] * c1) / s5
            )
            return self._upper_arm(q1, q5, q6, flange, rotation)

    def _upper_arm(self, q1: Array, q5: Array, q6: Array, flange: Array, rot: Array) -> Array:
        """Solve the planar joints 2, 3, 4 in the frame after joint 1."""
        zero = np.zeros_like(q1)
        t06 = np.zeros((*q1.shape, 4, 4))
        t06[..., :3, :3], t06[..., :3, 3], t06[..., 3, 3] = rot, flange, 1.0
        t16 = np.linalg.solve(_dh(q1, *_DH[0]), t06)
        t46 = _dh(q5, *_DH[4]) @ _dh(q6, 0.0, 0.0, D6)
        t14 = t16 @ np.linalg.inv(t46)
        wrist = t14[..., :3, 3] - D4 * _minus_y_axis(t14)
        px, py = wrist[..., 0], wrist[..., 1]
        c3 = (px**2 + py**2 - A2**2 - A3**2) / (2 * A2 * A3)
        q3 = np.arccos(c3)
        q2 = np.arctan2(py, px) - np.arctan2(A3 * np.sin(q3), A2 + A3 * c3)
        q234 = np.arctan2(t14[..., 1, 0], t14[..., 0, 0])
        q = np.stack([q1, q2, q3, q234 - q2 - q3, q5, q6 + zero], axis=-1)
        return np.asarray(self.home + np.remainder(q - self.home + np.pi, 2 * np.pi) - np.pi)

    def _frames(self, q: Array) -> list[Array]:
        """Base frame, frame after each joint (the last at the tool point): 7 ``(..., 4, 4)``."""
        frame = np.broadcast_to(np.eye(4), (*q.shape[:-1], 4, 4))
        frames = [frame]
        a, alpha, d = _COLUMNS
        d = np.concatenate([d[:-1], [D6 + self.tool_length]])
        turns = _dh(q, a, alpha, d)  # all joints at once
        for joint in range(q.shape[-1]):
            frame = frame @ turns[..., joint, :, :]
            frames.append(frame)
        return frames


_MAPS = maps_of(Ur5e)
_COLUMNS = np.array(_DH, dtype=np.float64).T


def _links(frames: list[Array], q: Array) -> Array:
    """Return what :meth:`Arm.links` does of the frames of :meth:`Ur5e._frames`."""
    links = np.empty((*q.shape[:-1], len(frames), 4, 4))
    links[..., 0, :, :] = np.eye(4)
    np.matmul(np.stack(frames[:-1], axis=-3), _dh(q, 0.0, 0.0, 0.0), out=links[..., 1:, :, :])
    return links


def _jacobian(frames: list[Array]) -> Array:
    """Return what :meth:`Arm.jacobian` does of the frames of :meth:`Ur5e._frames`."""
    before, tool = np.stack(frames[:-1], axis=-3), frames[-1][..., np.newaxis, :3, 3]
    axes = before[..., :3, 2]
    columns = np.concatenate([cross(axes, tool - before[..., :3, 3]), axes], axis=-1)
    return np.ascontiguousarray(np.swapaxes(columns, -1, -2))


def _minus_y_axis(frame: Array) -> Array:
    """Axis of joint 4 (z axis before the twist of joint 4) in a frame after joint 4."""
    return np.asarray(frame[..., :3, 1])


def _dh(q: Array, a: float | Array, alpha: float | Array, d: float | Array) -> Array:
    """Denavit-Hartenberg transforms Rz(q) Tz(d) Tx(a) Rx(alpha), ``(..., 4, 4)``."""
    c, s, ca, sa = np.cos(q), np.sin(q), np.cos(alpha), np.sin(alpha)
    t = np.zeros((*np.shape(q), 4, 4))
    t[..., 0, 0], t[..., 0, 1], t[..., 0, 2], t[..., 0, 3] = c, -s * ca, s * sa, a * c
    t[..., 1, 0], t[..., 1, 1], t[..., 1, 2], t[..., 1, 3] = s, c * ca, -c * sa, a * s
    t[..., 2, 1], t[..., 2, 2], t[..., 2, 3], t[..., 3, 3] = sa, ca, d, 1.0
    return t


UR5E = Ur5e()
