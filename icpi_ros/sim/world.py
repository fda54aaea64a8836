"""The simulated scene: one arm, one object, hidden physics."""

from __future__ import annotations

from collections.abc import Sequence

import mujoco
import numpy as np

from icpi_ros.arms.base import Arm
from icpi_ros.errors import IcpiError
from icpi_ros.resources import share_path
from icpi_ros.tasks.base import Task
from icpi_ros.types import Array, Indices

SETTLE_TIME = 0.5


class SimulationUnstable(IcpiError):
    """The simulator produced a number that is not finite, or reset itself."""


def load_model(task: Task, physics: Array) -> mujoco.MjModel:
    """Return the MuJoCo model of a task's scene with hidden ``physics`` ``(P,)`` applied."""
    model = mujoco.MjModel.from_xml_path(str(share_path("sim", task.scene)))
    task.apply_physics(model, physics)
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


class World:
    """Steps one scene; the same code behind the node ``mujoco_arm`` and in-process rollouts.

    Attributes:
        dt: step [s].
        model: the MuJoCo model.
        data: the MuJoCo data.
    """

    def __init__(self, task: Task, arm: Arm, physics: Array) -> None:
        """Load the scene and put everything at its start.

        Args:
            task: whose scene to load.
            arm: whose joints the scene has.
            physics: ``(P,)`` hidden physics, see ``task.physics_space``.
        """
        self.model = load_model(task, physics)
        self.data = mujoco.MjData(self.model)
        self.dt = float(self.model.opt.timestep)
        self._arm = arm
        self._q, self._v, self._u = _joint_addresses(self.model, arm.joints)
        self._gain = (
            -self.model.actuator_biasprm[self._u, 2] / self.model.actuator_gainprm[self._u, 0]
        )
        body = self.model.body(task.object_body)
        self._body = body.id
        joint = int(body.jntadr[0])
        self._object_q = slice(self.model.jnt_qposadr[joint], self.model.jnt_qposadr[joint] + 7)
        self._object_v = slice(self.model.jnt_dofadr[joint], self.model.jnt_dofadr[joint] + 6)
        self._object_start = self.model.qpos0[self._object_q].copy()
        self._object_start[2] = self._settled_height()
        self.reset()

    def command(self, q: Array, qd: Array) -> Array:
        """Return servo commands for wanted ``(..., n)`` positions [rad] and velocities [rad/s].

        The servos are position servos with damping: the wanted velocity is fed forward through
        the position command, ctrl = q + (kv / kp) qd.
        """
        ctrl = np.empty((*q.shape[:-1], self.model.nu))
        ctrl[..., self._u] = q + self._gain * qd
        return ctrl

    def reset(self, q: Array | None = None) -> None:
        """Put the arm at rest at ``q`` ``(n,)`` [rad] (default home), the object at its start."""
        mujoco.mj_resetData(self.model, self.data)
        pose = self._arm.home if q is None else q
        self.data.qpos[self._q] = pose
        self.data.ctrl[self._u] = pose
        self.reset_object()

    def reset_object(self) -> None:
        """Put the object back at its start, at rest; the arm is not touched."""
        self.data.qpos[self._object_q] = self._object_start
        self.data.qvel[self._object_v] = 0.0
        mujoco.mj_forward(self.model, self.data)

    def step(self, q: Array, qd: Array) -> None:
        """Advance by ``dt`` while the servos follow ``q`` ``(n,)`` [rad] and ``qd`` [rad/s].

        Raises:
            SimulationUnstable: the state is no longer finite.
        """
        self.data.ctrl[:] = self.command(q, qd)
        mujoco.mj_step(self.model, self.data)
        if self.data.warning.number.any():
            raise SimulationUnstable(
                f"the simulation became unstable at t = {self.data.time:.3f} s: "
                "check the scene and the physics parameters"
            )

    @property
    def time(self) -> float:
        """Simulated time [s]."""
        return float(self.data.time)

    @property
    def joint_positions(self) -> Array:
        """``(n,)`` [rad]."""
        return np.array(self.data.qpos[self._q])

    @property
    def joint_velocities(self) -> Array:
        """``(n,)`` [rad/s]."""
        return np.array(self.data.qvel[self._v])

    @property
    def object_position(self) -> Array:
        """``(3,)`` [m], frame ``base``."""
        return np.array(self.data.qpos[self._object_q][:3])

    @property
    def object_quaternion(self) -> Array:
        """``(4,)`` w, x, y, z."""
        return np.array(self.data.qpos[self._object_q][3:])

    @property
    def object_state(self) -> slice:
        """Where the object's position ``(3,)`` lies in a full-physics state vector."""
        first = 1 + int(self._object_q.start)
        return slice(first, first + 3)

    def _settled_height(self) -> float:
        """Let the object sink into its soft contact once; return its resting height [m]."""
        data = mujoco.MjData(self.model)
        data.qpos[self._q] = data.ctrl[self._u] = self._arm.home
        mujoco.mj_step(self.model, data, nstep=round(SETTLE_TIME / self.dt))
        return float(data.qpos[self._object_q][2])


def _joint_addresses(
    model: mujoco.MjModel, names: Sequence[str]
) -> tuple[Indices, Indices, Indices]:
    """Return addresses of named joints in qpos, qvel and ctrl."""
    q = [int(model.joint(name).qposadr[0]) for name in names]
    v = [int(model.joint(name).dofadr[0]) for name in names]
    u = [int(model.actuator(name).id) for name in names]
    return np.array(q), np.array(v), np.array(u)
