"""Values that travel between the parts: frozen, SI units, no ROS.

Positions are in the frame ``base`` (the arm's Denavit-Hartenberg base frame, z up, table
plane z = 0); REP-103 axes and units.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icpi_ros.core.html import table
from icpi_ros.core.units import millimetres

Array = NDArray[np.float64]
MOVED_BACK = "moved_back"
"""Key in the details of a proposal: reason why another theta was executed."""
EXPECTED_GAIN, TRIAL_NOISE, REPEAT = "expected_gain", "trial_noise", "repeat"
"""Keys in the details of a proposal, see :class:`Proposal`."""
ANSWER = "answer"
"""Key in the details of the trial that was told last, see :mod:`icpi_ros.runs.answer`."""
Indices = NDArray[np.int64]
SECOND = 1_000_000_000
"""In nanoseconds, the unit of stamps."""


@dataclass(frozen=True, repr=False)
class ObjectTrajectory:
    """Path of the object during one trial window.

    Attributes:
        times: ``(T,)`` float64 [s] since the start of the window, finite, increasing.
        positions: ``(T, 3)`` float64 [m] in frame ``base``; NaN marks a missing sample (REP-117).
    """

    times: Array
    positions: Array

    def __post_init__(self) -> None:
        """Check shapes and times.

        Raises:
            ValueError: the arrays do not fit together, or time does not go forward.
        """
        object.__setattr__(self, "times", np.asarray(self.times, dtype=np.float64))
        object.__setattr__(self, "positions", np.asarray(self.positions, dtype=np.float64))
        if self.times.ndim != 1 or self.positions.shape != (len(self.times), 3):
            raise ValueError(
                f"times {self.times.shape} and positions {self.positions.shape} do not fit: "
                "expected (T,) and (T, 3)"
            )
        if not (np.isfinite(self.times).all() and (np.diff(self.times) > 0.0).all()):
            raise ValueError("times are not finite and strictly increasing")

    def __repr__(self) -> str:
        """Return one line: number of samples, duration, end."""
        if len(self.times) == 0:
            return "<ObjectTrajectory: no sample>"
        end = ", ".join(f"{value:.3f}" for value in self.positions[-1])
        count, seconds = len(self.times), self.times[-1] - self.times[0]
        return f"<ObjectTrajectory: {count} samples, {seconds:.2f} s, ends at ({end}) m>"

    @property
    def coverage(self) -> float:
        """Share of samples that are present, 0 to 1."""
        if len(self.times) == 0:
            return 0.0
        return float(np.isfinite(self.positions).all(axis=1).mean())


class TrialStatus(StrEnum):
    """State of a trial."""

    RUNNING = "running"
    """Begun, not finished; found in a store after a crash it means half-run."""
    DONE = "done"
    """Executed and observed: it has an error and a cost."""
    UNOBSERVED = "unobserved"
    """Executed, but perception gave no usable trajectory; never invented."""
    FAILED = "failed"
    """The executor refused or aborted it; ``note`` has the reason."""
    CANCELLED = "cancelled"
    """Stopped by the user in the middle."""
    INTERRUPTED = "interrupted"
    """Half-run when the process died; marked at resume."""


@dataclass(frozen=True, repr=False)
class Proposal:
    """Next theta of an improver.

    Attributes:
        theta: ``(d,)`` proposed policy parameters, as the improver wrote them (may be out of
            bounds: the loop projects and records it).
        provenance: name of the improver that really made it; after a fallback the
            substitute's name, never the requested one.
        fallback_reason: reason why the requested improver did not answer; empty = no fallback.
        latency: wall time of the proposal [s].
        predicted_cost: cost that the improver expects [m]; NaN = it makes no prediction.
        predicted_std: half the width of the interval around it that holds 68 % of outcomes, the
            standard deviation of a normal prediction [m]; NaN = unknown.
        details: JSON-able extras (prompt, reply, token usage, why theta was moved back); never a
            key.
    """

    theta: Array
    provenance: str
    fallback_reason: str = ""
    latency: float = 0.0
    predicted_cost: float = float("nan")
    predicted_std: float = float("nan")
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_repeat(self) -> bool:
        """True if an executed theta is proposed again on purpose."""
        return self.details.get(REPEAT) is True

    @property
    def expected_gain(self) -> float:
        """Expected decrease of the cost of the run's answer by this trial [m]; NaN = not known."""
        return self._number(EXPECTED_GAIN)

    @property
    def trial_noise(self) -> float:
        """Standard deviation of the outcomes of one theta, as inferred [m]; NaN = not known."""
        return self._number(TRIAL_NOISE)

    def _number(self, key: str) -> float:
        found = self.details.get(key)
        return math.nan if found is None else float(found)  # JSON has null for NaN

    def __repr__(self) -> str:
        """Return one line: theta, and its origin."""
        instead = f" instead: {self.fallback_reason}" if self.fallback_reason else ""
        made = " ".join(f"{self.provenance}{instead}".split())
        return f"<Proposal: theta ({_numbers(self.theta)}), {made}>"


@dataclass(frozen=True)
class Outcome:
    """Part of a finished trial that improvers may see.

    It is no :class:`Trial`: neither run nor proposal can guide an improver.

    Attributes:
        theta: ``(d,)`` executed policy parameters.
        error: ``(m,)`` relative error features of the outcome to the goal (task.error).
        cost: task cost [m].
        path: of the object as it was observed; None = unknown, as of trials whose error alone was
            told.
    """

    theta: Array
    error: Array
    cost: float
    path: ObjectTrajectory | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True)
class TrialOrigin:
    """Provenance of a trial: its run and the place of its execution; unknown fields are empty.

    Attributes:
        run_id: of the run; the second run of the same id in a bag has ``#2`` after it.
        task: name of the task.
        improver: that was asked for; :attr:`Proposal.provenance` is the one that really proposed.
        goal: ``(g,)`` goal of the run, or None.
        theta_names: names of the policy parameters, where they were recorded with the trial.
        backend: that executed it, see ``data.execution.Backend``.
        bag: that it was read from.
        trial_id: of the time window in which it was executed.
    """

    run_id: str = ""
    task: str = ""
    improver: str = ""
    goal: Array | None = None
    theta_names: tuple[str, ...] = ()
    backend: str = ""
    bag: str = ""
    trial_id: str = ""


@dataclass(frozen=True)
class Tracking:
    """Last motion command of an arm, and its largest deviation from it.

    Attributes:
        motion: the command: ``retreat``, ``approach``, ``rehearsal`` or ``stroke``, with
            ``, then stopped`` where it did not come to its end; empty = none was sent.
        error: largest distance of a joint from its path [rad]; NaN = no joint state was seen.
        joint: name of that joint; empty = none.
        time: when, since the start of the motion, in the arm's own time [s]; NaN = never.
    """

    motion: str = ""
    error: float = float("nan")
    joint: str = ""
    time: float = float("nan")

    @property
    def known(self) -> bool:
        """True if the arm was seen to follow something."""
        return bool(np.isfinite(self.error))


@dataclass(frozen=True, repr=False)
class Trial:
    """One trial, wherever it comes from: a run under way, a store, a bag.

    Attributes:
        number: 0 is the common first attempt.
        theta: ``(d,)`` executed policy parameters.
        proposal: origin of theta.
        projected: True if theta is not as proposed: out of bounds, too large a step, or more than
            the arm can do; :attr:`moved_back` has the reason.
        status: see :class:`TrialStatus`.
        error: ``(m,)`` relative error, or None if not observed.
        cost: [m]; NaN if not observed.
        best_cost: lowest cost of the run up to here [m]; NaN if none yet.
        seconds: wall time of the trial including the proposal [s].
        moving: time of all arm motions and of settling, in the arm's own time [s]; NaN = not
            known.
        trajectory: the observed object trajectory, or None.
        note: one line, for example why it failed; empty = none.
        tracking: last motion command of the arm, and its largest deviation.
        origin: its run, and the place of its execution.
    """

    number: int
    theta: Array
    proposal: Proposal
    projected: bool = False
    status: TrialStatus = TrialStatus.RUNNING
    error: Array | None = None
    cost: float = float("nan")
    best_cost: float = float("nan")
    seconds: float = 0.0
    moving: float = float("nan")
    trajectory: ObjectTrajectory | None = None
    note: str = ""
    tracking: Tracking = field(default_factory=Tracking)
    origin: TrialOrigin = field(default_factory=TrialOrigin)

    def __repr__(self) -> str:
        """Return one line: theta, status and cost."""
        cost = f", cost {millimetres(self.cost)}" if math.isfinite(self.cost) else ""
        made = f", {self.proposal.provenance}" if self.proposal.provenance else ""
        return f"<Trial {self.number}: theta ({_numbers(self.theta)}), {self.status}{cost}{made}>"

    def _repr_html_(self) -> str:
        """Return theta, error and the origin of theta, for notebooks."""
        rows = [("theta", _numbers(self.theta)), ("status", self.status.value)]
        if self.error is not None:
            rows += [("error", _numbers(self.error)), ("cost [m]", f"{self.cost:.4g}")]
        proposal = self.proposal
        rows.append(("proposed by", proposal.provenance))
        rows += [("fallback", proposal.fallback_reason)] if proposal.fallback_reason else []
        rows += [("note", self.note)] if self.note else []
        return table(f"trial {self.number}", (), rows)

    @classmethod
    def executed(
        cls,
        number: int,
        theta: Array,
        trajectory: ObjectTrajectory,
        origin: TrialOrigin | None = None,
    ) -> Trial:
        """Return a trial of which only a theta ``(d,)`` and the object's path are known."""
        proposal = Proposal(theta, "")
        return cls(
            number,
            theta,
            proposal,
            status=TrialStatus.DONE,
            trajectory=trajectory,
            origin=origin or TrialOrigin(),
        )

    @property
    def name(self) -> str:
        """Name among the trials of several runs: id of its window, or its run and number."""
        return self.origin.trial_id or f"{self.origin.run_id}/{self.number}"

    @property
    def path(self) -> ObjectTrajectory:
        """Trajectory of a trial that is known to have one.

        Raises:
            ValueError: it has none.
        """
        if self.trajectory is None:
            raise ValueError(f"trial {self.name} has no trajectory")
        return self.trajectory

    @property
    def moved_back(self) -> str:
        """Reason why theta is not as proposed, one line; empty = it is, or not known."""
        return str(self.proposal.details.get(MOVED_BACK, "")) if self.projected else ""

    @property
    def outcome(self) -> Outcome | None:
        """The trial as an improver sees it; None unless it was executed and observed."""
        if self.status is not TrialStatus.DONE or self.error is None:
            return None
        return Outcome(self.theta, self.error, self.cost, self.trajectory)


def _numbers(values: Array) -> str:
    return ", ".join(f"{value:.4g}" for value in values)
