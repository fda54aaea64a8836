"""Rules of the executor: tolerances, deadlines, protections and those loosened; no ROS."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from icpi_ros.settings.table import find, of_node


@dataclass(frozen=True)
class ExecutorSettings:
    """Tolerances and deadlines; all have safe defaults, none can be switched off.

    Fields are named as the parameters that they are, see :mod:`icpi_ros.settings.table`.

    Attributes:
        speed_scale: share of the arm's limits for slow moves, 0 to 1.
        goal_tolerance: joint distance at which a move has arrived [rad].
        tracking_tolerance: largest joint distance from the motion under way [rad].
        start_timeout: longest steady time until arm, controller and perception are there [s].
        joint_state_timeout: longest steady time without a joint state [s].
        object_state_timeout: longest steady time without an object state [s].
        reply_timeout: longest steady time for the controller or the scene to answer [s].
        gripper_latency: time from a gripper's command until the object is free [s].
        stop_limit: longest steady time until a stopped arm stands [s]; no parameter.
    """

    speed_scale: float = find("speed_scale").usual
    goal_tolerance: float = find("goal_tolerance").default
    tracking_tolerance: float = find("tracking_tolerance").default
    start_timeout: float = find("start_timeout").default
    joint_state_timeout: float = find("joint_state_timeout").default
    object_state_timeout: float = find("object_state_timeout").default
    reply_timeout: float = find("reply_timeout").default
    gripper_latency: float = find("gripper_latency").default
    stop_limit: float = 2.0


@dataclass(frozen=True)
class ExecutorRules:
    """Rules of the executor: approval, ramp, step limit, scene; fixed at its start.

    Fields are named as the parameters that they are, see :mod:`icpi_ros.settings.table`; defaults
    are those of a simulation.

    Attributes:
        speed_scale: share of the arm's limits for slow moves, 0 to 1.
        approval: a person approves every motion.
        dry_run: everything but motion.
        scene: ``operator``: a person puts the scene back and confirms it; else ``service``.
        approval_timeout: longest steady time for a person to decide [s].
        ramp_trials: executions of a run until its full speed.
        ramp_scale: share of the usual speed at a run's first execution, 0 to 1.
        rehearse: during the ramp go through a strike slowly before the scene is put back.
        max_step: largest change of theta between executions of a run, a share of each
            parameter's range, 0 to 1.
        gripper_latency: time from the command until the object is free [s].
    """

    speed_scale: float = find("speed_scale").usual
    approval: bool = find("approval").usual
    dry_run: bool = find("dry_run").usual
    scene: str = find("scene").usual
    approval_timeout: float = find("approval_timeout").usual
    ramp_trials: int = find("ramp_trials").usual
    ramp_scale: float = find("ramp_scale").usual
    rehearse: bool = find("rehearse").usual
    max_step: float = find("max_step").usual
    gripper_latency: float = find("gripper_latency").usual

    @property
    def operator_resets(self) -> bool:
        """True if a person puts the scene back."""
        return self.scene == "operator"


PARAMETERS = of_node("executor")
DEFAULTS = {setting.name: setting.default for setting in PARAMETERS}
OFF = {
    "approval": "approval is off: no person sees a motion before it moves the arm",
    "rehearse": "rehearse is off: strokes are not gone through slowly first",
    "scene": "scene is service: no person confirms that the scene is back and the workspace empty",
    "controller_check": "controller_check is warn: a controller that is set up wrongly moves the "
    "arm all the same",
}
"""Line for each protection that is not at its default; there is one other value."""


def loosened(values: dict[str, Any]) -> list[str]:
    """Return a line for each protection that is off or looser than by default.

    Limits are not among them: a file can only tighten them.
    """
    found = [text for name, text in OFF.items() if values[name] != DEFAULTS[name]]
    if values["ramp_trials"] < DEFAULTS["ramp_trials"]:
        found.append(
            f"ramp_trials is {values['ramp_trials']}, by default {DEFAULTS['ramp_trials']}: a run "
            "is sooner at full speed"
        )
    numbers = [s.name for s in PARAMETERS if s.loosened_by == "larger"]
    larger = [name for name in numbers if values[name] > DEFAULTS[name]]
    return found + [f"{n} is {values[n]:g}, by default {DEFAULTS[n]:g}" for n in larger]
