"""Parameters of a trajectory controller, and the findings about those that must be otherwise.

Names and defaults are those of ros2_control's joint_trajectory_controller (Jazzy).  A wrong value
is one that makes an arm jump, leave its path, or never end; all others are preferences.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from icpi_ros.core.text import printable

JOINTS = "joints"
COMMAND_INTERFACES, STATE_INTERFACES = "command_interfaces", "state_interfaces"
FROM_DESIRED = "interpolate_from_desired_state"
OPEN_LOOP = "open_loop_control"
"""Former name of :data:`FROM_DESIRED`; still read by Jazzy."""
METHOD = "interpolation_method"
NONZERO_END = "allow_nonzero_velocity_at_trajectory_end"
SCALING = "speed_scaling.initial_scaling_factor"
RATE = "update_rate"
GOAL_TIME = "constraints.goal_time"
STOPPED = "constraints.stopped_velocity_tolerance"
SCALARS = (
    *(JOINTS, COMMAND_INTERFACES, STATE_INTERFACES, FROM_DESIRED, OPEN_LOOP, METHOD),
    *(NONZERO_END, SCALING, RATE, GOAL_TIME, STOPPED),
)
SHOWN = 60
"""Characters of a value of the wrong type that are shown."""
MIN_RATE = 100
"""Cycles per second below which a stop begins noticeably late [Hz]."""
TRAJECTORY_CONTROLLER = "TrajectoryController"
"""Ends the type of every controller that may take our motions."""
ALTERNATIVES = (
    "on a UR it is scaled_joint_trajectory_controller or the plain joint_trajectory_controller, "
    "whichever is active"
)


@dataclass(frozen=True)
class ControllerFinding:
    """Something that should be otherwise.

    Attributes:
        found: what it is.
        advice: why, and what to do; its first characters join it to ``found``.
        wrong: True: nothing may move.
        field: name of the parameter; empty = it is none.
        controller: whose parameter it is; empty = it is in ``found``.
    """

    found: str
    advice: str
    wrong: bool
    field: str = ""
    controller: str = ""

    @property
    def text(self) -> str:
        """All of it in one line."""
        whose = f"{self.controller}: " if self.controller else ""
        return printable(f"{whose}{self.found}{self.advice}")

    @property
    def brief(self) -> str:
        """The finding without its reason."""
        return printable(self.found)


@dataclass(frozen=True)
class ListedController:
    """One controller as the controller manager lists it."""

    name: str
    state: str
    type: str


@dataclass(frozen=True)
class UnknownValue:
    """A value of a type that ROS does not have, with its number."""

    type: int


@dataclass(frozen=True)
class ParameterKind:
    """Values that a parameter may hold: in words, and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


FLAG = ParameterKind("true or false", lambda value: isinstance(value, bool))
TEXT = ParameterKind("a text", lambda value: isinstance(value, str))
TEXTS = ParameterKind("a list of texts", _is_texts)
WHOLE = ParameterKind("an integer", lambda value: _is_number(value) and isinstance(value, int))
NUMBER = ParameterKind("a number", _is_number)
KINDS: Mapping[str, ParameterKind] = {
    **dict.fromkeys((JOINTS, COMMAND_INTERFACES, STATE_INTERFACES), TEXTS),
    **dict.fromkeys((FROM_DESIRED, OPEN_LOOP, NONZERO_END), FLAG),
    METHOD: TEXT,
    RATE: WHOLE,
}
"""By name; all others are numbers."""


def constraint(joint: str, kind: str) -> str:
    """Return the name of a joint's tolerance; ``kind``: ``trajectory`` or ``goal``."""
    return f"constraints.{joint}.{kind}"


def asked_for(joints: Sequence[str]) -> list[str]:
    """Return the names of all parameters that are judged."""
    each = [constraint(joint, kind) for joint in joints for kind in ("trajectory", "goal")]
    return [*SCALARS, *each]


def judge_parameters(
    reported: Mapping[str, Any], controller: str, joints: Sequence[str]
) -> list[ControllerFinding]:
    """Return what should be otherwise about a controller's parameters.

    Args:
        reported: values by name, of any type, from another node; what a controller does not have is
            not there and not judged.
        controller: its name, for the remedies.
        joints: names of the arm's joints.
    """
    of_use, findings = _sorted_out(reported, asked_for(joints))
    findings += [*_joints(of_use, joints), *_interfaces(of_use), *_timing(of_use)]
    findings += _tolerances(of_use, joints)
    return [replace(finding, controller=controller) for finding in findings]


def _sorted_out(
    reported: Mapping[str, Any], names: Sequence[str]
) -> tuple[dict[str, Any], list[ControllerFinding]]:
    """Return the values of a type that can be judged, and a finding for each of another."""
    of_use, findings = {}, []
    for name in (name for name in names if name in reported):
        kind = KINDS.get(name, NUMBER)
        if kind.fits(reported[name]):
            of_use[name] = reported[name]
        else:
            value = repr(reported[name])
            value = value if len(value) <= SHOWN else f"{value[:SHOWN]}..."
            remedy = f"; allowed is {kind.words}: correct the controller's parameters"
            findings.append(ControllerFinding(f"{name} is {value}", remedy, True, name))
    return of_use, findings


def _tolerances(reported: Mapping[str, Any], joints: Sequence[str]) -> list[ControllerFinding]:
    open_ends = [j for j in joints if reported.get(constraint(j, "trajectory"), 1.0) <= 0.0]
    if not open_ends:
        return []
    return [
        ControllerFinding(
            f"constraints.<joint>.trajectory is 0 for {', '.join(open_ends)}",
            ": what comes on the topic is followed however far they are off; 0.1 is recommended",
            wrong=False,
            field=constraint(open_ends[0], "trajectory"),
        )
    ]


def _joints(reported: Mapping[str, Any], joints: Sequence[str]) -> list[ControllerFinding]:
    named = list(reported.get(JOINTS, joints))
    if sorted(named) == sorted(joints):
        return []
    missing = [joint for joint in joints if joint not in named]
    more = [joint for joint in named if joint not in joints]
    return [
        ControllerFinding(
            f"joints is [{', '.join(named)}]",
            f": it lacks {', '.join(missing) or 'none'} of the arm's and has "
            f"{', '.join(more) or 'no'} others: set joint_prefix, or choose the arm's own "
            "controller with controller_name",
            wrong=True,
            field=JOINTS,
        )
    ]


def _interfaces(reported: Mapping[str, Any]) -> list[ControllerFinding]:
    findings = []
    commands = list(reported.get(COMMAND_INTERFACES, ("position",)))
    if commands and "position" not in commands:
        findings.append(
            ControllerFinding(
                f"command_interfaces is [{', '.join(commands)}]",
                ": the controller follows by its own gains; position is recommended, else try its "
                "gains with slow moves first",
                wrong=False,
                field=COMMAND_INTERFACES,
            )
        )
    states = list(reported.get(STATE_INTERFACES, ("position", "velocity")))
    from_desired = bool(reported.get(FROM_DESIRED, False) or reported.get(OPEN_LOOP, False))
    known = FROM_DESIRED in reported or OPEN_LOOP in reported
    if known and not from_desired and states and "velocity" not in states:
        findings.append(
            ControllerFinding(
                f"state_interfaces is [{', '.join(states)}] and {FROM_DESIRED} is false",
                ": a stop is joined as if the arm stood still, with a jerk; add velocity, or set "
                f"{FROM_DESIRED} to true",
                wrong=True,
                field=STATE_INTERFACES,
            )
        )
    elif known and not from_desired:
        findings.append(
            ControllerFinding(
                f"{FROM_DESIRED} is false",
                ": what replaces a motion is joined from the lagging measurement; true is "
                "recommended",
                wrong=False,
                field=FROM_DESIRED,
            )
        )
    return findings


def _timing(reported: Mapping[str, Any]) -> list[ControllerFinding]:
    findings = []
    if reported.get(METHOD, "splines") != "splines":
        findings.append(
            ControllerFinding(
                f"{METHOD} is {reported[METHOD]!r}",
                ": the arm would step from point to point; set splines",
                wrong=True,
                field=METHOD,
            )
        )
    scaling = reported.get(SCALING, 1.0)
    if scaling != 1.0:
        findings.append(
            ControllerFinding(
                f"{SCALING} is {scaling:g}",
                ": an arm that is slowed leaves its path in time; set 1.0",
                wrong=True,
                field=SCALING,
            )
        )
    if reported.get(NONZERO_END, False):
        advice = ": false is recommended, all must end at rest"
        findings.append(ControllerFinding(f"{NONZERO_END} is true", advice, False, NONZERO_END))
    rate = reported.get(RATE, 0)  # 0 = that of the controller manager, which it does not report
    if 0 < rate < MIN_RATE:
        findings.append(
            ControllerFinding(
                f"{RATE} is {rate} Hz",
                f": a stop begins up to {1000 / rate:.0f} ms late; at least {MIN_RATE} is "
                "recommended",
                wrong=False,
                field=RATE,
            )
        )
    if reported.get(GOAL_TIME, 1.0) == 0.0:
        findings.append(
            ControllerFinding(
                f"{GOAL_TIME} is 0",
                ": goals of others that miss their end last for ever (ours bring a time of their "
                "own); 0.5 is recommended",
                wrong=False,
                field=GOAL_TIME,
            )
        )
    return findings


def judge_activity(controllers: Sequence[ListedController], name: str) -> list[ControllerFinding]:
    """Return why the controller manager will not let ``name`` move the arm; empty = it will."""
    found = next((one for one in controllers if one.name == name), None)
    if found is not None and found.state == "active":
        return []
    state = "not loaded" if found is None else found.state
    active = [
        one.name
        for one in controllers
        if one.state == "active" and one.type.endswith(TRAJECTORY_CONTROLLER)
    ]
    if active:
        remedy = (
            f"active is {', '.join(active)}: set controller_name to it, or `ros2 control "
            f"switch_controllers --deactivate {active[0]} --activate {name}`"
        )
    else:
        remedy = (
            f"no trajectory controller is active: `ros2 control switch_controllers --activate "
            f"{name}`; {ALTERNATIVES}"
        )
    return [
        ControllerFinding(f"controller {name} is {state} and takes no motion", f"; {remedy}", True)
    ]


def rejection_hint(name: str) -> str:
    """Return the likely causes of a rejection without a reason."""
    return (
        f"an inactive controller rejects everything: see `ros2 control list_controllers` for "
        f"{name}; {ALTERNATIVES} (parameter controller_name)"
    )
