"""Errors that end a trial, with the error code of ExecuteMotion."""

from __future__ import annotations

from icpi_msgs.action import ExecuteMotion
from icpi_ros.core.errors import IcpiError, Refusal

Code = ExecuteMotion.Result


class TrialEnded(IcpiError):
    """The trial cannot go on: ``code`` is an error code of ExecuteMotion."""

    def __init__(self, code: int, reason: str | Refusal) -> None:
        super().__init__(reason)
        self.code = code


class GoalRejected(TrialEnded):
    """The controller rejects a motion; ``explained``: it gave the reason."""

    def __init__(self, message: str, explained: bool) -> None:
        super().__init__(Code.MOTION_REFUSED, message)
        self.explained = explained
