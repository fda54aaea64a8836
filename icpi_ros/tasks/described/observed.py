"""Observed positions of a described task: one point of the object's path, of some coordinates.

A path is straight between samples that follow each other; a gap is never bridged.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from icpi_ros.core.errors import ObservationMissing
from icpi_ros.core.types import Array, ObjectTrajectory

AXES = "xyz"
"""Names of the coordinates of frame ``base``."""
MIN_COVERAGE = 0.9
"""Least share of samples present where any of them might be the one that counts."""


@dataclass(frozen=True)
class ObservedPosition(ABC):
    """One position on the object's path.

    Attributes:
        axes: names of the coordinates that are compared with the goal, out of :data:`AXES`.
    """

    axes: tuple[str, ...]
    needs_rest: ClassVar[bool] = False
    """True: a trial whose object never rests has no such position."""

    @property
    def columns(self) -> list[int]:
        """Numbers of the coordinates."""
        return [AXES.index(axis) for axis in self.axes]

    def of(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """Return the coordinates ``(m,)`` [m] of the position; ``goal`` ``(m,)`` [m].

        Raises:
            ObservationMissing: the samples that are needed are not there.
        """
        return self.position(trajectory, goal)[self.columns]

    @abstractmethod
    def position(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """Return the position ``(3,)`` [m]; see :meth:`of`."""

    @abstractmethod
    def definition(self) -> dict[str, Any]:
        """Return all that decides which position it is, as JSON types."""


@dataclass(frozen=True)
class RestPosition(ObservedPosition):
    """The last position, at which the object came to rest."""

    needs_rest: ClassVar[bool] = True

    def position(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """See :meth:`ObservedPosition.position`."""
        return _last(trajectory)

    def definition(self) -> dict[str, Any]:
        """See :meth:`ObservedPosition.definition`."""
        return {"at": "rest"}


@dataclass(frozen=True)
class TimedPosition(ObservedPosition):
    """The position at a time after the start of the motion; after its rest that of the rest.

    Attributes:
        time: [s].
    """

    time: float

    def position(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """See :meth:`ObservedPosition.position`."""
        times, positions = trajectory.times, trajectory.positions
        if len(times) == 0 or self.time >= times[-1]:
            return _last(trajectory)
        i = max(int(np.searchsorted(times, self.time, side="right")) - 1, 0)
        if self.time <= times[i]:  # a sample of its own, or the first
            found = positions[i]
        else:
            share = (self.time - times[i]) / (times[i + 1] - times[i])
            found = positions[i] + share * (positions[i + 1] - positions[i])
        if not np.isfinite(found).all():
            raise ObservationMissing(f"the object was not seen {self.time:g} s after the start")
        return np.array(found)

    def definition(self) -> dict[str, Any]:
        """See :meth:`ObservedPosition.definition`."""
        return {"at": "time", "time": self.time}


@dataclass(frozen=True)
class NearestPosition(ObservedPosition):
    """The closest approach to a point, or to the goal.

    Attributes:
        to: coordinates of the point by their names [m], which alone count for the distance;
            empty = the goal.
    """

    to: Mapping[str, float]

    def position(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """See :meth:`ObservedPosition.position`."""
        _check_coverage(trajectory)
        point = dict(self.to) or dict(zip(self.axes, goal.tolist(), strict=True))
        begin, along = _pieces(trajectory)
        columns = [AXES.index(axis) for axis in point]
        target, flat, way = np.array(list(point.values())), begin[:, columns], along[:, columns]
        length = np.maximum(np.sum(way**2, axis=1), 1e-18)
        share = np.clip(np.sum((target - flat) * way, axis=1) / length, 0.0, 1.0)[:, np.newaxis]
        distance = np.sum((flat + share * way - target) ** 2, axis=1)
        i = int(np.argmin(distance))
        return np.asarray(begin[i] + share[i] * along[i])

    def definition(self) -> dict[str, Any]:
        """See :meth:`ObservedPosition.definition`."""
        return {"at": "closest", "to": dict(self.to) or "goal"}


@dataclass(frozen=True)
class CrossingPosition(ObservedPosition):
    """The first position at which the path crosses a plane.

    Attributes:
        axis: name of the coordinate that is constant on the plane.
        level: its value [m].
        direction: 1 = that coordinate rises, -1 = it falls, 0 = either.
    """

    axis: str
    level: float
    direction: int

    def position(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """See :meth:`ObservedPosition.position`."""
        seen = np.asarray(np.isfinite(trajectory.positions).all(axis=1))
        there = np.flatnonzero(seen)
        above = trajectory.positions[there, AXES.index(self.axis)] >= self.level
        step = np.diff(above.astype(np.int64))  # 1: from below to above
        crosses = (step == self.direction) if self.direction else (step != 0)
        way = {1: "upwards", -1: "downwards", 0: "in either direction"}[self.direction]
        what = f"{self.axis} = {self.level:g} m {way}"
        if not crosses.any():
            raise ObservationMissing(f"the object was not seen to cross {what}")
        first = int(np.argmax(crosses))
        i, k = int(there[first]), int(there[first + 1])
        if k != i + 1 or seen[: k + 1].mean() < MIN_COVERAGE:
            raise ObservationMissing(
                f"where the object crossed {what}, or before, it was not seen: "
                f"{MIN_COVERAGE:.0%} of the samples until then are needed, and both beside it"
            )
        begin, end = trajectory.positions[i], trajectory.positions[k]
        column = AXES.index(self.axis)
        share = (self.level - begin[column]) / (end[column] - begin[column])
        return np.asarray(begin + share * (end - begin))

    def definition(self) -> dict[str, Any]:
        """See :meth:`ObservedPosition.definition`."""
        return {"at": "crossing", "plane": {self.axis: self.level}, "direction": self.direction}


@dataclass(frozen=True)
class HighestPosition(ObservedPosition):
    """The highest position: top of the parabola through the highest sample and its neighbours."""

    def position(self, trajectory: ObjectTrajectory, goal: Array) -> Array:
        """See :meth:`ObservedPosition.position`."""
        _check_coverage(trajectory)
        i = int(np.nanargmax(trajectory.positions[:, 2]))
        if i in (0, len(trajectory.times) - 1):
            return np.array(trajectory.positions[i])
        before, top, after = trajectory.positions[i - 1 : i + 2]
        if not np.isfinite(trajectory.positions[i - 1 : i + 2]).all():
            raise ObservationMissing("the object was not seen beside its highest position")
        bend = before - 2.0 * top + after
        if bend[2] >= 0.0:
            return np.array(top)
        share = float(np.clip(0.5 * (before[2] - after[2]) / bend[2], -1.0, 1.0))
        return np.asarray(top + 0.5 * share * (after - before) + 0.5 * share**2 * bend)

    def definition(self) -> dict[str, Any]:
        """See :meth:`ObservedPosition.definition`."""
        return {"at": "highest"}


def _last(trajectory: ObjectTrajectory) -> Array:
    if len(trajectory.times) == 0 or not np.isfinite(trajectory.positions[-1]).all():
        raise ObservationMissing("the object was not seen at the end of the trial window")
    return np.array(trajectory.positions[-1])


def _check_coverage(trajectory: ObjectTrajectory) -> None:
    if trajectory.coverage < MIN_COVERAGE:
        raise ObservationMissing(
            f"the object was seen in {trajectory.coverage:.0%} of the samples: "
            f"{MIN_COVERAGE:.0%} are needed"
        )


def _pieces(trajectory: ObjectTrajectory) -> tuple[Array, Array]:
    """Return begin and extent ``(S, 3)`` [m] of the pieces between neighbouring samples.

    Raises:
        ObservationMissing: no two samples in a row are there.
    """
    begin, along = trajectory.positions[:-1], np.diff(trajectory.positions, axis=0)
    there = np.isfinite(along).all(axis=1)
    if not there.any():
        raise ObservationMissing("the object was not seen in two samples in a row")
    return begin[there], along[there]
