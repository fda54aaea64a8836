"""Recorded trials of a bag: one record per window, put together from several topics."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import dropwhile
from typing import Any

import numpy as np

from icpi_ros.bags.formats.raw import why
from icpi_ros.bags.reader import Bag
from icpi_ros.bags.topics import PATH, TRIALS, WINDOW
from icpi_ros.bags.trial_message import MAX_VALUE, trial_from
from icpi_ros.core.errors import UsageError
from icpi_ros.core.types import SECOND, Array, ObjectTrajectory, Outcome, Trial, TrialStatus

MAX_OPEN_WINDOWS = 64
"""Largest number of windows that wait for their trial; an older one is handed on without."""


class WindowState(StrEnum):
    """State of a trial window; an open one was never closed."""

    OPEN = "open"
    CLOSED = "closed"
    ABORTED = "aborted"


WINDOW_STATES = {0: WindowState.OPEN, 1: WindowState.CLOSED, 2: WindowState.ABORTED}
"""By their number in a message."""


@dataclass(frozen=True)
class RecordedPath:
    """Path that perception published for a window.

    Attributes:
        trajectory: of the object.
        coverage: share of samples that are present, 0 to 1.
        residual: rms distance of measurements from the path [m]; NaN = not known.
        good: False = too poor to learn from, see ``reason``.
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
    """One trial window of a bag, the path published for it, and the trial executed in it.

    Attributes:
        run_id: of the run; "" = of no run.  The second run of the same id in a bag has ``#2``
            after it.
        number: of the trial in its run, 0 = common first attempt; -1 = of no run.
        trial_id: of the window; "" = no window was recorded (the recorder joined late).
        task: name.
        start, stop: of the window [ns of ROS time]; 0 = not known.
        state: of the window; None = not known.
        path: what perception published for it; None = nothing.
        trial: what was executed and came of it; None = no trial was recorded for this window.
        recorded: time of recording of the window's last message [ns]; 0 = not known.
    """

    run_id: str
    number: int
    trial_id: str
    task: str
    start: int = 0
    stop: int = 0
    state: WindowState | None = None
    path: RecordedPath | None = None
    trial: Trial | None = None
    recorded: int = 0

    @property
    def name(self) -> str:
        """Name of the trial among others, with or without a window."""
        return self.trial_id or f"{self.run_id}/{self.number}"

    @property
    def status(self) -> TrialStatus | None:
        """Status of the trial; None = no trial was recorded."""
        return self.trial.status if self.trial is not None else None

    @property
    def theta(self) -> Array | None:
        """Executed policy parameters ``(d,)``; None = not known."""
        return self.trial.theta if self.trial is not None else None

    @property
    def outcome(self) -> Outcome | None:
        """Part of the trial that an improver may see; None unless it was executed and observed."""
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


def read_trials(bag: Bag) -> list[RecordedTrial]:
    """Return all recorded trials, in the order of their windows.

    Raises:
        UsageError: there are none, and why.
    """
    found = list(stream_trials(bag))
    if not found:
        if WINDOW not in bag.topics and TRIALS not in bag.topics:
            bag.require(WINDOW, TRIALS)
        raise UsageError(f"bag {bag.path}: no trials in it{_because(bag)}")
    return found


def stream_trials(bag: Bag) -> Iterator[RecordedTrial]:
    """Yield recorded trials as their last message comes by; one pass over the bag."""
    assembly = _Assembly(bag)
    for message in bag.messages((WINDOW, PATH, TRIALS)):
        try:
            if message.name == WINDOW:
                yield from assembly.window(message.content, message.ns)
            elif message.name == PATH:
                yield from assembly.path(message.content)
            else:
                yield from assembly.trial(message.content)
        except (ValueError, AttributeError, TypeError) as exc:
            bag.note(f"{message.name}: a message that makes no sense is skipped ({why(exc)})")
    yield from assembly.rest()


class _Assembly:
    """Assembly of trials from the messages of three topics.

    Each topic comes in its order, but they do not keep step: a recorder that had to wait for a
    busy processor takes one message of each topic in turn, and there are two windows to a trial.
    So a trial waits until its window has closed and its path has come, and a path until its
    window has opened.
    """

    def __init__(self, bag: Bag) -> None:
        self._bag = bag
        self._open: dict[str, RecordedTrial] = {}
        self._runs: dict[str, _Numbers] = {}
        self._early: dict[str, RecordedPath] = {}
        self._waiting: list[tuple[Trial, int]] = []

    def window(self, msg: Any, ns: int) -> Iterator[RecordedTrial]:
        """Begin or end a window, and end the trials that waited for it."""
        if msg.trial_id not in self._open:
            yield from self._missed(_ns(msg.start))
        yield from self._window(msg, ns)
        yield from self._released()

    def _missed(self, start: int) -> Iterator[RecordedTrial]:
        """End trials from before ``start`` [ns] that have no window: it is not recorded.

        Before that of the same number in a resumed run opens, which is another trial's.
        """
        while self._waiting:
            received, stamp = self._waiting[0]
            if stamp > start or self._windows(received):
                return
            yield from self._trial(*self._waiting.pop(0))

    def _released(self) -> Iterator[RecordedTrial]:
        """End the trials that waited until they were whole, or for what is not recorded."""
        while self._waiting:
            received = self._waiting[0][0]
            later = (trial for trial, _ in self._waiting[1:])
            passed = not self._windows(received) and any(map(self._windows, later))
            if not passed and not self._whole(received):
                return
            yield from self._trial(*self._waiting.pop(0))

    def _windows(self, received: Trial) -> list[RecordedTrial]:
        name = _name(received)
        return [trial for trial in self._open.values() if split_id(trial.trial_id) == name]

    def _whole(self, received: Trial) -> bool:
        """Return whether a trial's last window has closed, and its path came if it was seen."""
        windows = self._windows(received)
        if not windows or windows[-1].state is WindowState.OPEN:
            return False
        if received.outcome is None or PATH not in self._bag.topics:
            return True
        # Paths come in the order of windows: behind one of a later window there is none to come.
        since = dropwhile(lambda window: window is not windows[-1], self._open.values())
        return any(window.path is not None for window in since)

    def _window(self, msg: Any, ns: int) -> Iterator[RecordedTrial]:
        known = self._open.get(msg.trial_id)
        start, stop = _ns(msg.start), _ns(msg.stop)
        state = WINDOW_STATES.get(int(msg.state))
        if state is None or (stop and stop < start):
            raise ValueError(f"window of trial {msg.trial_id!r}: state {msg.state}")
        if known is not None and known.state is WindowState.OPEN is not state:
            self._open[msg.trial_id] = replace(
                known, start=start, stop=stop, state=state, recorded=ns
            )
            return
        if known is not None and (known.start, known.stop, known.state) == (start, stop, state):
            return  # received twice
        if known is not None:
            self._bag.note(f"two windows have the id {msg.trial_id!r}: both are kept")
            yield self._open.pop(msg.trial_id)
        run_id, number = split_id(msg.trial_id)
        self._open[msg.trial_id] = RecordedTrial(
            self._distinct_run_id(run_id, number),
            number,
            msg.trial_id,
            msg.task,
            start,
            stop,
            state,
            path=self._early.pop(msg.trial_id, None),
            recorded=ns,
        )
        if len(self._open) > MAX_OPEN_WINDOWS:
            oldest = next(iter(self._open.values()))
            if self._waiting and _name(self._waiting[0][0]) == split_id(oldest.trial_id):
                yield from self._trial(*self._waiting.pop(0))
            else:
                yield self._open.pop(oldest.trial_id)

    def path(self, msg: Any) -> Iterator[RecordedTrial]:
        """Keep the path of a window, and end the trial that waited for it."""
        known = self._open.get(msg.trial_id)
        if known is None:
            self._early[msg.trial_id] = _path(msg)
            if len(self._early) > MAX_OPEN_WINDOWS:
                self._without_window(next(iter(self._early)))
        elif known.path is None:
            self._open[msg.trial_id] = replace(known, path=_path(msg))
            yield from self._released()

    def _without_window(self, trial_id: str) -> None:
        del self._early[trial_id]
        self._bag.note(f"a path of trial {trial_id!r}, which has no window, is skipped")

    def trial(self, msg: Any) -> Iterator[RecordedTrial]:
        """End a trial, or let it wait for its window and path."""
        received, stamp = _decoded(msg, str(self._bag.path)), _ns(msg.header.stamp)
        if not self._waiting and self._whole(received):
            yield from self._trial(received, stamp)
            return
        self._waiting.append((received, stamp))
        if len(self._waiting) > MAX_OPEN_WINDOWS:
            yield from self._trial(*self._waiting.pop(0))

    def _trial(self, received: Trial, stamp: int) -> Iterator[RecordedTrial]:
        """Hand on the window of a trial with the trial received at ``stamp`` [ns]."""
        own_id, task = received.origin.run_id, received.origin.task
        numbers = self._runs.setdefault(own_id, _Numbers())
        if numbers.same(received, stamp):
            return  # latched: who joins late receives it again
        run_id = self._distinct_run_id(own_id, received.number, done=True)
        fits = [
            trial
            for trial in self._open.values()
            if trial.number == received.number and trial.run_id == run_id
        ]
        for earlier in fits[:-1]:  # attempts that were not observed
            yield self._open.pop(earlier.trial_id)
        numbers.keep(received, stamp)
        if not fits:
            window = RecordedTrial(run_id, received.number, "", task)
        else:
            window = self._open.pop(fits[-1].trial_id)
        origin = replace(received.origin, run_id=run_id, trial_id=window.trial_id)
        yield replace(window, task=task, trial=replace(received, origin=origin))

    def rest(self) -> Iterator[RecordedTrial]:
        """Hand on the trials whose windows never closed, and windows for which no trial came."""
        for received, stamp in self._waiting:
            yield from self._trial(received, stamp)
        self._waiting.clear()
        for trial_id in list(self._early):
            self._without_window(trial_id)
        yield from self._open.values()
        self._open.clear()

    def _distinct_run_id(self, run_id: str, number: int, done: bool = False) -> str:
        """Return the run's name; numbers that go back begin another run of the same id."""
        if number < 0:
            return run_id
        numbers = self._runs.setdefault(run_id, _Numbers())
        if number <= numbers.last and not (done and number == numbers.window):
            numbers.restart()
            self._bag.note(
                f"more than one run has the id {run_id!r}: numbers go back, the later one is "
                f"called {numbers.name(run_id)!r}"
            )
        if not done:
            numbers.window = number
        return numbers.name(run_id)


class _Numbers:
    """State of one run id: its last finished trial and how often it began anew."""

    def __init__(self) -> None:
        self.last = -1
        self.window = -1
        self._count = 1
        self._received: dict[int, tuple[Trial, int]] = {}

    def restart(self) -> None:
        self._count += 1
        self.last = self.window = -1

    def name(self, run_id: str) -> str:
        return run_id if self._count == 1 else f"{run_id}#{self._count}"

    def keep(self, received: Trial, stamp: int) -> None:
        # A trial that failed or was cancelled is done again when its run is resumed.
        self.last = received.number if received.status is TrialStatus.DONE else received.number - 1
        self._received[received.number] = received, stamp

    def same(self, received: Trial, stamp: int) -> bool:
        """Return whether this very trial, ``stamp`` [ns] included, was handed on already."""
        known, then = self._received.get(received.number, (None, 0))
        return (
            known is not None
            and then == stamp
            and known.status is received.status
            and _equal(known.theta, received.theta)
            and _equal(known.error, received.error)
        )


def _name(received: Trial) -> tuple[str, int]:
    return received.origin.run_id, received.number


def _decoded(msg: Any, bag: str) -> Trial:
    for name in ("theta", "goal", "error", "cost", "best_cost"):
        if np.any(np.abs(getattr(msg, name)) > MAX_VALUE):
            raise ValueError(f"{name} of trial {msg.trial} is beyond {MAX_VALUE:g}")
    trial = trial_from(msg)
    return replace(trial, origin=replace(trial.origin, bag=bag))


def _path(msg: Any) -> RecordedPath:
    points = [(p.x, p.y, p.z) for p in msg.positions]
    positions = np.array(points, dtype=np.float64).reshape(-1, 3)
    if np.any(np.abs(positions) > MAX_VALUE):
        raise ValueError(f"a position is more than {MAX_VALUE:g} m away")
    return RecordedPath(
        ObjectTrajectory(np.array(msg.times, dtype=np.float64), positions),
        float(msg.coverage),
        float(msg.residual),
        bool(msg.good),
        str(msg.reason),
        bool(msg.at_rest),
    )


def split_id(trial_id: str) -> tuple[str, int]:
    """Return run id and number of ``run/3-a1b2c3``; "" and -1 where it has another form."""
    run_id, slash, rest = str(trial_id).rpartition("/")
    number = rest.partition("-")[0]
    return (run_id, int(number)) if slash and number.isdecimal() and len(number) < 7 else ("", -1)


def _ns(stamp: Any) -> int:
    return int(stamp.sec) * SECOND + int(stamp.nanosec)


def _equal(one: Array | None, other: Array | None) -> bool:
    if one is None or other is None:
        return one is other
    return np.array_equal(one, other, equal_nan=True)


def _because(bag: Bag) -> str:
    return bag.because or ": were windows and trials recorded?"
