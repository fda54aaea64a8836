"""The simulated scene: one arm, one object, hidden physics."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

import mujoco
import numpy as np

from icpi_ros.core.errors import IcpiError, UsageError
from icpi_ros.core.resources import share_path
from icpi_ros.core.types import Array, Indices
from icpi_ros.robots.base import Arm
from icpi_ros.robots.described_arm import DescribedArm
from icpi_ros.sim.gripper import Gripper
from icpi_ros.sim.scene_arm import arm_model, exchanged
from icpi_ros.tasks.base import Task

SETTLE_TIME = 0.5
OBJECT = "object"
FREE = mujoco.mjtJoint.mjJNT_FREE
_log = logging.getLogger(__name__)
# Else MuJoCo appends its warnings to MUJOCO_LOG.TXT in the current folder, whoever made that file.
# What they are about is counted, and refused as SimulationUnstable.
mujoco.set_mju_user_warning(_log.debug)


class SimulationUnstable(IcpiError):
    """Failure of the simulator: a number that is not finite, or a reset of its own."""


def load_model(task: Task, physics: Array, arm: Arm | None = None) -> mujoco.MjModel:
    """Return the MuJoCo model of a task's scene with hidden ``physics`` ``(P,)`` applied.

    A scene anywhere may include the arms that come with the package by their file names.

    Args:
        task: whose scene to load.
        physics: hidden physics.
        arm: a :class:`DescribedArm` takes the place of the arm that the scene has; the task's own,
            or None, leaves the scene as it is.

    Raises:
        UsageError: there is no scene, it has no arm that can be replaced, or there is no model of
            ``arm``.
    """
    path = Path(task.required_scene)
    path = path if path.is_absolute() else share_path("sim", str(path))
    shared = share_path("sim", "ur5e.xml").parent
    arms = {file.name: file.read_bytes() for file in shared.glob("ur5e*.xml")}
    if isinstance(arm, DescribedArm):
        model = _load_with(arm, task, path, arms)
    elif arm is None or arm.name == task.arm:
        model = mujoco.MjModel.from_xml_path(str(path), arms)
    else:
        raise UsageError(
            f"cannot simulate {task.name} with {arm.name}: that arm is only in its own scene; "
            f"{task.arm}, or an arm from a YAML file, can be simulated here"
        )
    task.apply_physics(model, physics)
    mujoco.mj_setConst(model, mujoco.MjData(model))
    return model


def _load_with(arm: DescribedArm, task: Task, path: Path, arms: dict[str, bytes]) -> mujoco.MjModel:
    """Load a scene with another arm in place of its own: a file that it includes, or built in."""
    own, scene = f"{task.arm}.xml", path.read_text(encoding="utf-8")
    try:
        if f'<include file="{own}"' in scene:
            return mujoco.MjModel.from_xml_path(str(path), arms | {own: arm_model(arm)})
        return mujoco.MjModel.from_xml_string(exchanged(scene, arm_model(arm)), arms)
    except (ValueError, UsageError) as exc:
        reason = " ".join(str(exc).split())
        raise UsageError(f"cannot simulate {task.name} with {arm.name}: {reason}") from None


class World:
    """Simulated scene; the same code behind the node ``mujoco_arm`` and in-process rollouts.

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
        self.model = load_model(task, physics, arm)
        self.data = mujoco.MjData(self.model)
        self._warnings = self.data.warning.number  # a view, as are all fields of the data
        self.dt = float(self.model.opt.timestep)
        self._arm = arm
        self._q, self._v, self._u = _joint_addresses(self.model, arm.joints)
        self._gain = (
            -self.model.actuator_biasprm[self._u, 2] / self.model.actuator_gainprm[self._u, 0]
        )
        self._site = self.model.site(OBJECT).id
        self._object_q, self._object_v = _subtree(self.model, self.model.body(task.object_body).id)
        self._object_start = self.model.qpos0[self._object_q].copy()
        self._gripper, self._open_order = Gripper.of(self.model), np.inf
        joint = self.model.body(task.object_body).jntadr[0]
        if self.model.jnt_type[joint] == FREE and self._gripper is None:
            self._object_start[2] = self._settled_height()
        self.reset()
        self._start_state = self._full_state()

    def command(self, q: Array, qd: Array, held: Array | float = 1.0) -> Array:
        """Return servo commands for wanted ``(..., n)`` positions [rad] and velocities [rad/s].

        The servos are position servos with damping: the wanted velocity is fed forward through
        the position command, ctrl = q + (kv / kp) qd.  A gripper holds for the share ``held``
        ``(...)`` of the step, see :meth:`held`.
        """
        ctrl = np.empty((*q.shape[:-1], self.model.nu))
        ctrl[..., self._u] = q + self._gain * qd
        if self._gripper is not None:
            ctrl[..., self._gripper.actuators] = np.asarray(held)[..., np.newaxis]
        return ctrl

    def openings(self, releases: Array) -> Array:
        """Return the times ``(...)`` [s] at which a gripper opens that is told to at ``releases``.

        They are later by its latency.
        """
        return releases + (0.0 if self._gripper is None else self._gripper.latency)

    def held(self, times: Array, releases: Array) -> Array:
        """Return the share of each step ``(..., S)`` in which a gripper holds the object.

        Args:
            times: begin of the steps ``(S,)`` [s].
            releases: times ``(...)`` at which the gripper is told to let go [s].
        """
        left = self.openings(releases)[..., np.newaxis] - times
        return np.asarray(np.clip(left / self.dt, 0.0, 1.0))

    def reset(self, q: Array | None = None) -> None:
        """Put the arm at rest at ``q`` ``(n,)`` [rad] (default home), the object at its start."""
        mujoco.mj_resetData(self.model, self.data)
        pose = self._arm.home if q is None else q
        self.data.qpos[self._q] = pose
        self.data.ctrl[self._u] = pose
        self.reset_object()

    def reset_object(self, q: Array | None = None) -> None:
        """Put the object back at its start, at rest; the arm is not touched.

        The start of an object that a gripper holds is the hand, which closes.

        Args:
            q: ``(n,)`` [rad] where an arm that stands is held: it is put there exactly and at
                rest (a rope that hangs from it shakes it a little).
        """
        if q is not None:
            self.data.qpos[self._q], self.data.qvel[self._v] = q, 0.0
        self._open_order = np.inf
        self.data.qpos[self._object_q] = self._object_starts(self.joint_positions)
        self.data.qvel[self._object_v] = 0.0
        mujoco.mj_forward(self.model, self.data)

    def step(self, q: Array, qd: Array) -> None:
        """Advance by ``dt`` while the servos follow ``q`` ``(n,)`` [rad] and ``qd`` [rad/s].

        Raises:
            SimulationUnstable: the state is no longer finite.
        """
        ctrl = self.data.ctrl
        ctrl[self._u] = q + self._gain * qd  # as of `command`, without an array between
        if self._gripper is not None:
            ctrl[self._gripper.actuators] = self._held_now()
        mujoco.mj_step(self.model, self.data)
        if np.count_nonzero(self._warnings):
            raise SimulationUnstable(
                f"the simulation became unstable at t = {self.data.time:.3f} s: "
                "check the scene and the physics parameters"
            )

    def initial_states(self, q: Array) -> Array:
        """Return full states ``(N, s)``: arm at rest at ``q`` ``(N, n)``, object at its start."""
        states = np.tile(self._start_state, (len(q), 1))
        states[:, 1 + self._q] = q
        if self._gripper is not None:
            first = 1 + self._object_q.start
            states[:, first : first + 7] = self._object_starts(q)
        return states

    def open_gripper(self, at: float) -> None:
        """Order the gripper to let go at the simulated time ``at`` [s]; now, if that is past.

        It opens by its latency later; an order that was given before is forgotten.
        """
        if self.gripped:
            self._open_order = max(at, self.time)

    def close_gripper(self) -> None:
        """Take back an order to open; an object that has been let go is not caught again."""
        if self.gripped:
            self._open_order = np.inf

    @property
    def gripped(self) -> bool:
        """True while a gripper holds the object; False without a gripper."""
        return self._gripper is not None and self._held_now() > 0.0

    def _held_now(self) -> float:
        if self._gripper is None or self._open_order == np.inf:
            return 1.0
        return float(self.held(np.array([self.time]), np.array(self._open_order))[0])

    def _object_starts(self, q: Array) -> Array:
        """Return the object's joint positions at its start, one row per ``q`` ``(..., n)``."""
        starts = np.tile(self._object_start, (*q.shape[:-1], 1))
        if self._gripper is not None:
            position, rotation = self._arm.tool_pose(q)
            starts[..., :3] = position + rotation @ self._gripper.grasp
        return starts

    @property
    def object_sensor(self) -> slice:
        """Columns of the tracked point ``(3,)`` in the sensor data."""
        first = int(self.model.sensor(OBJECT).adr[0])
        return slice(first, first + 3)

    def check_states(self, states: Array, time: float) -> None:
        """Check full states ``(N, s)`` that were simulated until ``time`` [s].

        MuJoCo resets a simulation that diverges, clock included, and goes on: a state that looks
        sound may be one of those.

        Raises:
            SimulationUnstable: one is not finite or was reset.
        """
        if not np.isfinite(states).all() or (states[:, 0] < time - 0.5 * self.dt).any():
            raise SimulationUnstable("a rollout became unstable: check the scene and the physics")

    @property
    def time(self) -> float:
        """Simulated time [s]."""
        return float(self.data.time)

    @property
    def joint_positions(self) -> Array:
        """``(n,)`` [rad]."""
        return np.asarray(self.data.qpos[self._q])  # a copy: they are numbered one by one

    @property
    def joint_velocities(self) -> Array:
        """``(n,)`` [rad/s]."""
        return np.asarray(self.data.qvel[self._v])

    @property
    def object_position(self) -> Array:
        """Tracked point of the object ``(3,)`` [m], frame ``base``."""
        mujoco.mj_kinematics(self.model, self.data)
        return np.array(self.data.site_xpos[self._site])

    @property
    def object_pose(self) -> tuple[Array, Array]:
        """The same, and its orientation ``(4,)`` w, x, y, z."""
        position, quaternion = self.object_position, np.empty(4)
        mujoco.mju_mat2Quat(quaternion, self.data.site_xmat[self._site])
        return position, quaternion

    def _full_state(self) -> Array:
        spec = mujoco.mjtState.mjSTATE_FULLPHYSICS
        state = np.empty(mujoco.mj_stateSize(self.model, spec))
        mujoco.mj_getState(self.model, self.data, state, spec)
        return state

    def _settled_height(self) -> float:
        """Let the object sink into its soft contact once; return its resting height [m]."""
        data = mujoco.MjData(self.model)
        data.qpos[self._q] = data.ctrl[self._u] = self._arm.home
        mujoco.mj_step(self.model, data, nstep=round(SETTLE_TIME / self.dt))
        return float(data.qpos[self._object_q][2])


def _subtree(model: mujoco.MjModel, root: int) -> tuple[slice, slice]:
    """Return the ranges in qpos and qvel of the joints of a body and of all bodies below it."""
    inside = {root}
    for body in range(root + 1, model.nbody):  # children come after their parents
        if int(model.body_parentid[body]) in inside:
            inside.add(body)
    joints = [j for j in range(model.njnt) if int(model.jnt_bodyid[j]) in inside]
    dofs = [d for d in range(model.nv) if int(model.dof_bodyid[d]) in inside]
    begin, last = int(model.jnt_qposadr[joints[0]]), joints[-1]
    width = 7 if model.jnt_type[last] == FREE else 1
    return slice(begin, int(model.jnt_qposadr[last]) + width), slice(dofs[0], dofs[-1] + 1)


def _joint_addresses(
    model: mujoco.MjModel, names: Sequence[str]
) -> tuple[Indices, Indices, Indices]:
    """Return addresses of named joints in qpos, qvel and ctrl."""
    q = [int(model.joint(name).qposadr[0]) for name in names]
    v = [int(model.joint(name).dofadr[0]) for name in names]
    u = [int(model.actuator(name).id) for name in names]
    return np.array(q), np.array(v), np.array(u)
