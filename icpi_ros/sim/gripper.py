"""Gripper of a scene: three actuators that hold the object at the tool until it is let go.

A scene with a gripper has actuators ``gripper_x``, ``gripper_y`` and ``gripper_z`` between the
sites ``object`` and ``tool``, each with gain c + k x + b v (``gaintype="affine"``): a damped spring
along one axis of the tool, times the control.  Control 1 holds, 0 lets go, and what lies between
lets go within a step, so that an outcome depends smoothly on the time of release.  The number
``gripper_latency`` of the scene is the delay between the order to open and the opening [s].
"""

from __future__ import annotations

from dataclasses import dataclass

import mujoco
import numpy as np

from icpi_ros.core.types import Array, Indices

ACTUATORS = ("gripper_x", "gripper_y", "gripper_z")
LATENCY = "gripper_latency"


@dataclass(frozen=True)
class Gripper:
    """Gripper of one model.

    Attributes:
        actuators: ``(3,)`` addresses in ctrl.
        grasp: ``(3,)`` place of the held object in the tool's frame [m].
        latency: delay of the opening [s].
    """

    actuators: Indices
    grasp: Array
    latency: float

    @classmethod
    def of(cls, model: mujoco.MjModel) -> Gripper | None:
        """Return the gripper of a model; None = it has none."""
        ids = [mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_ACTUATOR, name) for name in ACTUATORS]
        if min(ids) < 0:
            return None
        gains = model.actuator_gainprm[ids]
        number = mujoco.mj_name2id(model, mujoco.mjtObj.mjOBJ_NUMERIC, LATENCY)
        latency = 0.0 if number < 0 else float(model.numeric(LATENCY).data[0])
        return cls(np.array(ids), -gains[:, 0] / gains[:, 1], latency)
