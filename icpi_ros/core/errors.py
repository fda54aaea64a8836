"""Errors that a user can cause or must know about.

Every message is one line: the fault, its place, what is allowed and
what to do.  The command line prints it without a traceback; a node puts it in
``error_msg`` of the action result.  The same in fields is :attr:`IcpiError.refusal`:
programs decide by these, never by the message.
"""

from __future__ import annotations

import reprlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from numbers import Real
from types import MappingProxyType
from typing import Any

from icpi_ros.core.text import did_you_mean


class Kind(StrEnum):
    """Kind of a refusal."""

    OTHER = "other"
    """Any other; no program needs to distinguish it."""
    FORM = "form"
    """Of another shape, length or type, or too many points."""
    NOT_FINITE = "not_finite"
    OUT_OF_BOUNDS = "out_of_bounds"
    UNKNOWN_NAME = "unknown_name"
    MISSING = "missing"
    DUPLICATE = "duplicate"
    UNREADABLE = "unreadable"
    """A file that is missing, too large, or no text of its format."""
    LOOSER = "looser"
    """A limit that is looser than the arm's own."""
    NO_MOTION = "no_motion"
    """Limits that leave no motion."""
    WRONG_JOINTS = "wrong_joints"
    TIMES = "times"
    """Times that do not begin at 0, do not increase, or are all in the past."""
    DURATION = "duration"
    SPACING = "spacing"
    NOT_AT_REST = "not_at_rest"
    UNKNOWN_POSE = "unknown_pose"
    START = "start"
    """A motion that starts where the arm is not."""
    JOINT_LIMIT = "joint_limit"
    WORKSPACE = "workspace"
    FLOOR = "floor"
    TOOL_SPEED = "tool_speed"
    SELF_COLLISION = "self_collision"
    UNCHECKABLE = "uncheckable"
    """A motion too near to its limits for too long to be checked."""
    NOT_CHECKED = "not_checked"
    """A checked motion that the gate did not make."""
    OUT_OF_REACH = "out_of_reach"
    UNDECLARED = "undeclared"
    """A release of a task that declares none."""
    NO_GRIPPER = "no_gripper"
    """A release for which there is no gripper, or none that is quick enough."""
    STEP = "step"
    """A theta too far from what its run has executed."""
    INACTIVE = "inactive"
    """A controller that takes no motion."""
    PROTECTIVE_STOP = "protective_stop"
    FAULT = "fault"
    """A simulated fault."""
    CLOSING = "closing"
    """A simulation that is ending."""


@dataclass(frozen=True)
class Refusal:
    """Refusal of one value, in words and in fields; a field that does not apply is empty.

    Attributes:
        text: one line for a person.
        kind: class of the fault.
        quantity: name of the checked quantity: ``velocity``, ``tool z``, ``points``.
        joint: name of the joint.
        value: the refused value [unit].
        limit: allowed range [unit]: lowest and highest value, infinite where open; or the names.
        unit: of value and limit.
        field: name of the setting, key, column or point that holds the value.
    """

    text: str
    kind: Kind = Kind.OTHER
    quantity: str = ""
    joint: str = ""
    value: Any = None
    limit: tuple[float, float] | tuple[str, ...] | None = None
    unit: str = ""
    field: str = ""

    def __str__(self) -> str:
        return self.text

    @property
    def brief(self) -> str:
        """The same in few words and without numbers: ``velocity of elbow_joint``."""
        return f"{self.quantity} of {self.joint}" if self.joint else self.quantity or self.text


class IcpiError(Exception):
    """Base of all errors of this package.

    Attributes:
        exit_code: the CLI's exit status.
        refusal: the message in fields.
    """

    exit_code = 1
    refusal = Refusal("")

    def __init__(self, reason: str | Refusal = "") -> None:
        """Keep the reason; the message is its text."""
        super().__init__(str(reason))
        self.refusal = reason if isinstance(reason, Refusal) else Refusal(reason)


class UsageError(IcpiError):
    """Bad input: the caller can correct it by changing an argument (exit code 2)."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that no registry entry has; lists the valid ones."""

    def __init__(self, kind: str, name: str, valid: Iterable[str], remedy: str = "") -> None:
        """Name the ``kind`` of thing that ``name`` was looked up as, and the ``valid`` names.

        ``remedy``: another way out, such as ``or install its package``.
        """
        names = sorted(valid)
        advice = ", ".join(names) + (f", {remedy}" if remedy else "") + did_you_mean(name, names)
        text, limit = f"unknown {kind} {name!r}: choose one of {advice}", tuple(names)
        super().__init__(Refusal(text, Kind.UNKNOWN_NAME, kind, value=name, limit=limit))
        self.kind, self.name, self.valid, self.remedy = kind, name, names, remedy

    def __reduce__(self) -> tuple[type[UnknownName], tuple[Any, ...]]:
        """Return how another process makes it again."""
        return type(self), (self.kind, self.name, self.valid, self.remedy)


class InvalidValue(UsageError):
    """A number or vector that is not allowed: wrong length, not finite, out of bounds."""


def invalid(
    text: str,
    field: str,
    value: Any,
    limit: tuple[float, float] | tuple[str, ...] | None = None,
    *,
    kind: Kind = Kind.OUT_OF_BOUNDS,
    unit: str = "",
) -> InvalidValue:
    """Return the error of a value that is not allowed in ``field``, see :class:`Refusal`."""
    return InvalidValue(
        Refusal(text, kind, field, value=value, limit=limit, unit=unit, field=field)
    )


def require_kind(field: str, value: object, kinds: type | tuple[type, ...], allowed: str) -> None:
    """Check the type of an argument of the public API; ``allowed`` says what it may be.

    Raises:
        InvalidValue: it is of another one.
    """
    if not isinstance(value, kinds) or (isinstance(value, bool) and kinds is Real):
        text = f"{field} = {reprlib.repr(value)} is not allowed: {allowed}"
        raise invalid(text, field, value, kind=Kind.FORM)


class DatasetError(UsageError):
    """A data set that is missing, truncated, of another task, or of a newer schema."""


class ResultsError(UsageError):
    """A results file of a benchmark that is missing, damaged, of another format or newer."""


class CalibrationFileError(UsageError):
    """A camera's YAML that is missing, damaged, no camera, of another size, or newer."""


class DescriptionError(UsageError):
    """A description of an arm or a task that is missing, damaged, or holds what is not allowed."""


class ModelUnavailable(UsageError):
    """An improver whose model cannot be asked: no key, or no endpoint that answers."""


class CalibrationFailed(IcpiError):
    """The views or points do not determine the camera; the message names the remedy."""


class StoreError(IcpiError):
    """The trial store cannot be opened or written (read-only, full disk, newer schema)."""


class StoreUnusable(StoreError):
    """A trial store that cannot be opened: the caller can name another (exit code 2)."""

    exit_code = 2


class MotionRefused(IcpiError):
    """The safety gate refused a motion; the message names joint, value and limit."""


class ObservationMissing(IcpiError):
    """Perception gave no usable trajectory for a trial that was executed."""


class TaskFailed(IcpiError):
    """A task that cannot say what came of an executed trial: its code raised, or gave no number."""


class ExecutionFailed(IcpiError):
    """The executor could not carry out a motion; the message carries its reason."""


class ExecutionCancelled(IcpiError):
    """The run was cancelled while a trial was under way."""


class CompletionFailed(IcpiError):
    """A sequence model gave no usable answer (network, refusal, malformed reply).

    Attributes:
        details: record of what was asked and paid for, as in a proposal; from a model itself at
            most ``spent`` and ``tries``, of the one completion.
    """

    details: Mapping[str, Any] = MappingProxyType({})


class NotOnCassette(CompletionFailed):
    """A replay was asked for what was never recorded: it says nothing about the model."""


class BudgetSpent(IcpiError):
    """A run's model has used up a limit that its user set: the run ends, it has not failed.

    Attributes:
        details: see :class:`CompletionFailed`.
    """

    details: Mapping[str, Any] = MappingProxyType({})
