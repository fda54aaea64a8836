"""Setting ``gripper``: the way in which a gripper is told to open, and the names that it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from icpi_ros.core.errors import invalid

NAME = re.compile(r"~?/?[A-Za-z_][A-Za-z0-9_]*(/[A-Za-z_][A-Za-z0-9_]*)*")
"""Name of a topic, a service or an action."""
FORMS = (
    "none, simulated, action:NAME, trigger:OPEN or trigger:OPEN,CLOSE, or topic:NAME, for example "
    "action:/gripper_controller/gripper_cmd"
)


class GripperKind(StrEnum):
    """Way to a gripper."""

    NONE = "none"
    SIMULATED = "simulated"
    """The simulated arm's own, which keeps the moment by the clock of its motion."""
    ACTION = "action"
    """An action of control_msgs: GripperCommand or ParallelGripperCommand."""
    TRIGGER = "trigger"
    """Services std_srvs/Trigger: one opens, another may close."""
    TOPIC = "topic"
    """A topic std_msgs/Bool: true opens."""


NAMES = {GripperKind.ACTION: (1,), GripperKind.TRIGGER: (1, 2), GripperKind.TOPIC: (1,)}
"""Numbers of names that a way has."""


@dataclass(frozen=True)
class GripperChoice:
    """Way to a gripper; ``names`` of its action, services or topic."""

    kind: GripperKind
    names: tuple[str, ...] = ()


def gripper_choice(text: str) -> GripperChoice:
    """Return the way that a text of the setting ``gripper`` stands for.

    Raises:
        InvalidValue: it is none; names what is allowed.
    """
    kind, colon, rest = text.partition(":")
    names = tuple(rest.split(",")) if colon else ()
    if kind in tuple(GripperKind):
        found = GripperKind(kind)
        if len(names) in NAMES.get(found, (0,)) and all(map(NAME.fullmatch, names)):
            return GripperChoice(found, names)
    raise invalid(f"gripper = {text!r} is not allowed: {FORMS}", "gripper", text)
