"""Trial of a run that is under way: what becomes of it before its outcome is told."""

from __future__ import annotations

import time
from dataclasses import replace

from icpi_ros.core.types import Array, Tracking, Trial, TrialStatus
from icpi_ros.runs.proposals import by_operator


class UnderWay:
    """Place of the one trial of a run that was begun and has not ended.

    Attributes:
        trial: as known so far; None = none is under way.
    """

    def __init__(self, run_id: str) -> None:
        """Begin with none."""
        self.trial: Trial | None = None
        self._run_id, self._started = run_id, 0.0

    def start(self) -> None:
        """Begin to count the time of the next trial, its proposal included.

        Raises:
            RuntimeError: the last one has not been told.
        """
        if self.trial is not None:
            raise RuntimeError(f"trial {self.trial.number} has not been told yet")
        self._started = time.monotonic()

    def required(self) -> Trial:
        """Return the trial.

        Raises:
            RuntimeError: none is under way.
        """
        if self.trial is None:
            raise RuntimeError(f"no trial of run {self._run_id} is under way: call ask() first")
        return self.trial

    def change(self, theta: Array, by: str) -> Trial:
        """Note another theta ``(d,)``, inside the bounds, that a person had executed."""
        self.trial = by_operator(self.required(), theta, by)
        return self.trial

    def followed(self, tracking: Tracking, note: str) -> None:
        """Note how the arm followed its last command, and a line to keep."""
        trial = self.required()
        self.trial = replace(trial, tracking=tracking, note=_lines(trial.note, note))

    def ended(self, status: TrialStatus, note: str) -> Trial:
        """Return the trial with its end; how it ended comes first in its note."""
        seconds = time.monotonic() - self._started
        trial = self.required()
        return replace(trial, status=status, note=_lines(note, trial.note), seconds=seconds)


def _lines(*notes: str) -> str:
    return "; ".join(filter(None, notes))
