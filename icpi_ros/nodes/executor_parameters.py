"""Parameters of the executor, and the values that they become."""

from __future__ import annotations

from typing import Any

from icpi_ros.graph.protections import CAREFUL
from icpi_ros.nodes import arm_port, controller_inquiry
from icpi_ros.nodes.parameters import PLUGINS, Spec
from icpi_ros.nodes.planning import Rules
from icpi_ros.nodes.settings import Settings
from icpi_ros.tasks import TASKS

DEFAULT, RULES = Settings(), Rules()
SCENES = ("service", "operator")
PARAMETERS = (
    PLUGINS,
    Spec("task", "slide", "task that is executed", choices=TASKS),
    Spec("arm", "", "arm that executes it: a name or a description file; empty = the task's"),
    Spec("simulated", False, "the arm is a simulated one: what is off or loosened is no warning"),
    Spec(
        "speed_scale",
        CAREFUL["speed_scale"],
        "share of the arm's limits for slow moves",
        "",
        0.05,
        1.0,
    ),
    Spec("goal_tolerance", DEFAULT.goal_tolerance, "joint distance at the end", "rad", 0.001, 0.1),
    Spec(
        "tracking_tolerance",
        DEFAULT.tracking_tolerance,
        "joint distance underway",
        "rad",
        0.01,
        0.5,
    ),
    Spec(
        "start_timeout",
        DEFAULT.start,
        "steady time until arm, controller and perception are there",
        "s",
        0.1,
        120.0,
    ),
    Spec(
        "joint_state_timeout", DEFAULT.silence, "steady time without joint states", "s", 0.05, 10.0
    ),
    Spec(
        "object_state_timeout", DEFAULT.blindness, "steady time without perception", "s", 0.05, 60.0
    ),
    Spec("reply_timeout", DEFAULT.reply, "steady time for arm and scene to answer", "s", 0.1, 60.0),
    *arm_port.PARAMETERS,
    *controller_inquiry.PARAMETERS,
    Spec("limits", "", "YAML file of limits tighter than the arm's own; empty = the arm's own"),
    Spec(
        "max_step",
        CAREFUL["max_step"],
        "largest step of theta in a run, share of its range",
        "",
        0.01,
        1.0,
    ),
    Spec("approval", CAREFUL["approval"], "a person approves every motion (service decide)"),
    Spec(
        "approval_timeout",
        RULES.patience,
        "steady time for a person to decide",
        "s",
        1.0,
        86400.0,
    ),
    Spec("dry_run", RULES.dry_run, "everything but motion"),
    Spec(
        "scene",
        CAREFUL["scene"],
        "who puts the scene back: reset_scene, or a person",
        choices=SCENES,
    ),
    Spec("ramp_trials", CAREFUL["ramp_trials"], "executions of a run until full speed", "", 0, 100),
    Spec(
        "ramp_scale",
        CAREFUL["ramp_scale"],
        "share of the speed at a run's first execution",
        "",
        0.05,
        1.0,
    ),
    Spec("rehearse", CAREFUL["rehearse"], "during the ramp go through each stroke slowly first"),
)

DEFAULTS = {spec.name: spec.default for spec in PARAMETERS}
OFF = {
    "approval": "approval is off: no person sees a motion before it moves the arm",
    "rehearse": "rehearse is off: strokes are not gone through slowly first",
    "scene": "scene is service: no person confirms that the scene is back and the workspace empty",
    "controller_check": "controller_check is warn: a controller that is set up wrongly moves the "
    "arm all the same",
}
"""What is said of a protection that is not at its default; there is one other value."""
LOOSER = (
    *("max_step", "speed_scale", "ramp_scale"),
    *("tracking_tolerance", "joint_state_timeout", "object_state_timeout"),
)
"""Protections that a larger number loosens."""


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
    larger = [name for name in LOOSER if values[name] > DEFAULTS[name]]
    return found + [f"{n} is {values[n]:g}, by default {DEFAULTS[n]:g}" for n in larger]


def settings_of(values: dict[str, Any]) -> Settings:
    """Return the tolerances and deadlines that the parameters ask for."""
    return Settings(
        speed_scale=values["speed_scale"],
        goal_tolerance=values["goal_tolerance"],
        tracking_tolerance=values["tracking_tolerance"],
        start=values["start_timeout"],
        silence=values["joint_state_timeout"],
        blindness=values["object_state_timeout"],
        reply=values["reply_timeout"],
    )


def rules_of(values: dict[str, Any]) -> Rules:
    """Return the rules that the parameters ask for."""
    return Rules(
        speed_scale=values["speed_scale"],
        approval=values["approval"],
        dry_run=values["dry_run"],
        operator_resets=values["scene"] == "operator",
        patience=values["approval_timeout"],
        ramp_trials=values["ramp_trials"],
        ramp_scale=values["ramp_scale"],
        rehearse=values["rehearse"],
        max_step=values["max_step"],
    )
