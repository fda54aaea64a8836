"""Universal Robots UR5e with a striking blade on the flange.

Kinematics: Denavit-Hartenberg parameters published by Universal Robots ("DH Parameters for
calculations of kinematics and dynamics", UR5e).  Closed-form inverse after Hawkins, "Analytic
Inverse Kinematics for the Universal Robots UR-5/UR-10 Arms" (Georgia Tech, 2013).
Frame: the DH base frame (ROS ``base``; ``base_link`` is turned by 180 deg about z).
"""

from __future__ import annotations

import numpy as np

from icpi_ros.core.types import Array
from icpi_ros.robots.base import Arm, ArmLimits, Capsule

D1, A2, A3, D4, D5, D6 = 0.1625, -0.425, -0.3922, 0.1333, 0.0997, 0.0996
_DH = (  # a [m], alpha [rad], d [m]
    (0.0, np.pi / 2, D1),
    (A2, 0.0, 0.0),
    (A3, 0.0, 0.0),
    (0.0, np.pi / 2, D4),
    (0.0, -np.pi / 2, D5),
    (0.0, 0.0, D6),
)


class Ur5e(Arm):
    """UR5e; branch of the inverse: elbow up, wrist 2 at -90 deg when the tool points down."""

    name: str = "ur5e"
    tool_length: float = 0.15
    """Distance from the flange to the tool point along the flange's z axis [m]."""
    joints: tuple[str, ...] = (
        "shoulder_pan_joint",
        "shoulder_lift_joint",
        "elbow_joint",
        "wrist_1_joint",
        "wrist_2_joint",
        "wrist_3_joint",
    )
    home: Array = np.array([2.478, -1.138, 1.393, -1.825, -1.5708, 0.907])

    # Positions: +-360 deg, elbow +-180 deg; speed 180 deg/s (UR5e data sheet).  UR publishes no
    # acceleration limit: 40 rad/s^2 is our choice, 1.6 times what the fastest strike needs.
    limits: ArmLimits = ArmLimits(
        lower=np.array([-2 * np.pi, -2 * np.pi, -np.pi, -2 * np.pi, -2 * np.pi, -2 * np.pi]),
        upper=np.array([2 * np.pi, 2 * np.pi, np.pi, 2 * np.pi, 2 * np.pi, 2 * np.pi]),
        velocity=np.full(6, np.pi),
        acceleration=np.full(6, 40.0),
        workspace_lower=np.array([-0.95, -0.95, 0.008]),
        workspace_upper=np.array([0.95, 0.95, 2.6]),
        tool_speed=4.0,
        tool_mass=0.3,
        tool_energy=2.4,
    )

    @property
    def body(self) -> tuple[Capsule, ...]:
        """See :attr:`Arm.body`; pieces as in sim/ur5e.xml, the blade as one across the tool."""
        flange = D6 + self.tool_length
        return (
            _piece("shoulder", 1, (0, 0, 0.0), (0, 0, 0.16), 0.06),
            _piece("upper arm", 2, (0, 0, 0.12), (A2, 0, 0.12), 0.05),
            _piece("forearm", 3, (0, 0, 0.01), (A3, 0, 0.01), 0.042),
            _piece("wrist 1", 4, (0, 0, 0.03), (0, 0, D4), 0.038),
            _piece("wrist 2", 5, (0, 0, 0), (0, 0, D5), 0.038),
            _piece("wrist 3", 6, (0, 0, 0.06), (0, 0, D6), 0.036),
            *self._tool(flange),
        )

    def _tool(self, end: float) -> tuple[Capsule, ...]:
        """Stem and blade, in the frame of link 6; ``end`` is the tool point's height there [m]."""
        return (
            _piece("tool", 6, (0, 0, D6), (0, 0, end - 0.01), 0.01),
            _piece("blade", 6, (-0.08, 0, end), (0.08, 0, end), 0.0075),
        )

    def links(self, q: Array) -> Array:
        """See :meth:`Arm.links`."""
        before = np.stack(self._frames(q)[:-1], axis=-3)
        turned = before @ _dh(q, 0.0, 0.0, 0.0)
        base = np.broadcast_to(np.eye(4), (*q.shape[:-1], 1, 4, 4))
        return np.concatenate([base, turned], axis=-3)

    def tool_pose(self, q: Array) -> tuple[Array, Array]:
        """See :meth:`Arm.tool_pose`."""
        frames = self._frames(q)
        return frames[-1][..., :3, 3], frames[-1][..., :3, :3]

    def jacobian(self, q: Array) -> Array:
        """See :meth:`Arm.jacobian`."""
        frames = self._frames(q)
        tool = frames[-1][..., :3, 3]
        columns = []
        for frame in frames[:-1]:
            axis = frame[..., :3, 2]
            columns.append(np.concatenate([np.cross(axis, tool - frame[..., :3, 3]), axis], -1))
        return np.stack(columns, axis=-1)

    def inverse(self, position: Array, rotation: Array) -> Array:
        """See :meth:`Arm.inverse`."""
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
                (-y[..., 0] * s1 + y[..., 1] * c1) / s5,
                (x[..., 0] * s1 - x[..., 1] * c1) / s5,
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
        a, alpha, d = np.array(_DH, dtype=np.float64).T
        d[-1] = D6 + self.tool_length
        turns = _dh(q, a, alpha, d)  # all joints at once
        for joint in range(q.shape[-1]):
            frame = frame @ turns[..., joint, :, :]
            frames.append(frame)
        return frames


def _piece(name: str, link: int, start: object, end: object, radius: float) -> Capsule:
    return Capsule(name, link, np.array(start, float), np.array(end, float), radius)


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
