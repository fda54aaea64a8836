"""One trial of a bag: its window, the path that was seen in it, and the trial itself."""

from __future__ import annotations

from dataclasses import dataclass, replace

from icpi_ros.core.types import Array, ObjectTrajectory, Outcome, Trial, TrialStatus


@dataclass(frozen=True)
class RecordedPath:
    """What perception said about a window.

    Attributes:
        trajectory: of the object.
        coverage: share of samples that are present, 0 to 1.
        residual: rms distance of measurements from the path [m]; NaN = not known.
        good: False = too poor to learn from, ``reason`` says why.
        at_rest: True if the object rested at the end.
    """

    trajectory: ObjectTrajectory
    coverage: float
    residual: float
    good: bool
    reason: str
    at_rest: bool


@dataclass(frozen=True)
class RecordedTrial:
    """One trial window of a bag, what perception said about it, and the trial executed in it.

    Attributes:
        run_id: of the run; "" = of no run.  The second run of the same id in a bag has ``#2``
            after it.
        number: of the trial in its run, 0 = common first attempt; -1 = of no run.
        trial_id: of the window; "" = no window was recorded (the recorder joined late).
        task: name.
        start, stop: of the window [ns of ROS time]; 0 = not known.
        state: of the window: ``closed``, ``aborted``, ``open`` (never closed) or "".
        path: what perception published for it; None = nothing.
        trial: what was executed and came of it; None = no trial was recorded for this window.
    """

    run_id: str
    number: int
    trial_id: str
    task: str
    start: int = 0
    stop: int = 0
    state: str = ""
    path: RecordedPath | None = None
    trial: Trial | None = None

    @property
    def name(self) -> str:
        """Name of the trial among others, with or without a window."""
        return self.trial_id or f"{self.run_id}/{self.number}"

    @property
    def status(self) -> TrialStatus | None:
        """What became of the trial; None = no trial was recorded."""
        return self.trial.status if self.trial is not None else None

    @property
    def theta(self) -> Array | None:
        """Executed policy parameters ``(d,)``; None = not known."""
        return self.trial.theta if self.trial is not None else None

    @property
    def outcome(self) -> Outcome | None:
        """What an improver may see of the trial; None unless it was executed and observed."""
        return self.trial.outcome if self.trial is not None else None

    @property
    def goal(self) -> Array | None:
        """Goal ``(g,)`` of the run; None = not known."""
        return self.trial.origin.goal if self.trial is not None else None

    @property
    def seen(self) -> Trial | None:
        """The trial with the path that perception published for it; None = none was recorded."""
        if self.trial is None or self.path is None:
            return self.trial
        return replace(self.trial, trajectory=self.path.trajectory)
