"""What a bag says about one trial: values, with units."""

from __future__ import annotations

from dataclasses import dataclass

from icpi_ros.types import Array, ObjectTrajectory, Outcome, Trial, TrialStatus


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
    """One trial window of a bag with everything that was said about it.

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
        goal: ``(g,)`` goal of the run; None = not known.
        requested: improver that was asked for.
        theta_names: names of the policy parameters.
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
    goal: Array | None = None
    requested: str = ""
    theta_names: tuple[str, ...] = ()

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
        """The trial as an improver sees it; None unless it was executed and observed."""
        return self.trial.outcome if self.trial is not None else None
