"""Errors that a user can cause or must know about.

Every message is one line that says what was wrong, where, what is allowed and
what to do.  The command line prints it without a traceback; a node puts it in
``error_msg`` of the action result.
"""

from __future__ import annotations

from collections.abc import Iterable

from icpi_ros.text import did_you_mean


class IcpiError(Exception):
    """Base of all errors of this package; ``exit_code`` is the CLI's exit status."""

    exit_code = 1


class UsageError(IcpiError):
    """Bad input: the caller can mend it by changing an argument (exit code 2)."""

    exit_code = 2


class UnknownName(UsageError):
    """A name that no registry entry has; lists the valid ones."""

    def __init__(self, kind: str, name: str, valid: Iterable[str]) -> None:
        """Say which ``kind`` of thing ``name`` was looked up as, and the ``valid`` names."""
        names = sorted(valid)
        hint = did_you_mean(name, names)
        super().__init__(f"unknown {kind} {name!r}: choose one of {', '.join(names)}{hint}")
        self.kind, self.name, self.valid = kind, name, names


class InvalidValue(UsageError):
    """A number or vector that is not allowed: wrong length, not finite, out of bounds."""


class DatasetError(UsageError):
    """A data set that is missing, truncated, of another task, or of a newer schema."""


class ResultsError(UsageError):
    """A results file of a benchmark that is missing, damaged, of another format or newer."""


class CalibrationFileError(UsageError):
    """A camera's YAML that is missing, damaged, no camera, of another size, or newer."""


class DescriptionError(UsageError):
    """An arm's description that is missing, damaged, or holds what is not allowed."""


class CalibrationFailed(IcpiError):
    """The views or points do not determine the camera; the message says what to do."""


class StoreError(IcpiError):
    """The trial store cannot be opened or written (read-only, full disk, newer schema)."""


class MotionRefused(IcpiError):
    """The safety gate refused a motion; the message names joint, value and limit."""


class ObservationMissing(IcpiError):
    """Perception gave no usable trajectory for a trial that was executed."""


class ExecutionFailed(IcpiError):
    """The executor could not carry out a motion; the message carries its reason."""


class ExecutionCancelled(IcpiError):
    """The run was cancelled while a trial was under way."""


class CompletionFailed(IcpiError):
    """A sequence model gave no usable answer (network, refusal, malformed reply)."""


class BudgetSpent(IcpiError):
    """A run's model has used up a limit that its user set: the run ends, it has not failed."""
