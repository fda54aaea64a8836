"""What is said of protections of the executor that are off or looser than by default."""

from __future__ import annotations

from typing import Any

from icpi_ros.settings.table import of_node

PARAMETERS = of_node("executor")
DEFAULTS = {setting.name: setting.default for setting in PARAMETERS}
OFF = {
    "approval": "approval is off: no person sees a motion before it moves the arm",
    "rehearse": "rehearse is off: strokes are not gone through slowly first",
    "scene": "scene is service: no person confirms that the scene is back and the workspace empty",
    "controller_check": "controller_check is warn: a controller that is set up wrongly moves the "
    "arm all the same",
}
"""What is said of a protection that is not at its default; there is one other value."""


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
